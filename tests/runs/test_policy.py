"""Which rule decides: the first that holds, and what is usual where none does."""

import pytest

from chat.policy import Decision, Hint, Policy, Rule
from chat.tools import Tool

ALLOW, ASK, DENY = Decision.ALLOW, Decision.ASK, Decision.DENY
EDITORS = 7


def tool(name: str = "read", server: str = "files", *, says: str = "") -> Tool:
    return Tool(
        name=f"offered_{name}",
        remote_name=name,
        description="",
        input_schema={},
        server=server,
        is_read_only="read" in says,
        is_destructive="destructive" in says,
    )


def decided(
    *rules: Rule,
    on: Tool,
    groups: tuple[int, ...] = (),
    trusted: tuple[str, ...] = (),
) -> tuple[Decision, str]:
    policy = Policy(rules=rules, groups=frozenset(groups), trusted=frozenset(trusted))
    verdict = policy.verdict_on(on)
    return verdict.decision, verdict.rule


def rule(decision: Decision, label: str, **when: object) -> Rule:
    return Rule(decision=decision, label=label, **when)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("says", "trusted", "decision"),
    [
        ("", True, ALLOW),
        ("read", True, ALLOW),
        ("destructive", True, ASK),
        # What only reads destroys nothing, whatever else it says.
        ("read destructive", True, ALLOW),
        ("", False, ASK),
        ("read", False, ALLOW),
        ("destructive", False, ASK),
    ],
)
def test_without_rules_trust_decides(says: str, trusted: bool, decision: Decision) -> None:
    found, label = decided(on=tool(says=says), trusted=("files",) if trusted else ("other",))
    assert found == decision
    assert ("not trusted" in label) is not trusted


def test_the_first_rule_that_holds_decides() -> None:
    rules = (
        rule(ALLOW, "editors", tool="delete_*", group=EDITORS),
        rule(DENY, "no deleting", tool="delete_*"),
        rule(ASK, "files", server="files"),
    )
    assert decided(*rules, on=tool("delete_all"), groups=(EDITORS,)) == (ALLOW, "editors")
    assert decided(*rules, on=tool("delete_all")) == (DENY, "no deleting")
    assert decided(*rules, on=tool("list")) == (ASK, "files")
    assert decided(*rules, on=tool("list", "mail"), trusted=("mail",))[0] == ALLOW
    # Capital letters count, and a glob is not a part of a name.
    assert decided(*rules, on=tool("Delete_all", "mail"), trusted=("mail",))[0] == ALLOW
    assert decided(*rules, on=tool("undelete_all", "mail"), trusted=("mail",))[0] == ALLOW


@pytest.mark.parametrize(
    ("hint", "says", "holds"),
    [
        (Hint.READ_ONLY, "read", True),
        (Hint.READ_ONLY, "", False),
        (Hint.WRITES, "", True),
        (Hint.WRITES, "destructive", True),
        (Hint.WRITES, "read", False),
        (Hint.DESTRUCTIVE, "destructive", True),
        (Hint.DESTRUCTIVE, "", False),
        (Hint.DESTRUCTIVE, "read destructive", False),
    ],
)
def test_a_rule_may_go_by_what_a_tool_says_of_itself(hint: Hint, says: str, holds: bool) -> None:
    found = decided(rule(DENY, "hint", hint=hint), on=tool(says=says), trusted=("files",))
    assert (found == (DENY, "hint")) is holds


def test_a_name_of_a_glob_s_own_signs_is_taken_by_the_letter() -> None:
    strange = tool("a[b]*")
    assert decided(rule(DENY, "odd", tool="a[[]b]*"), on=strange, trusted=("files",))[0] == DENY
    assert decided(rule(DENY, "odd", tool="*"), on=strange, trusted=("files",))[0] == DENY
