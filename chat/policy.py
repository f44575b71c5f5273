"""The say over tools: which rule a call falls under, and what it says. The model never decides."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from chat.tools import Tool


class Decision(StrEnum):
    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


class Hint(StrEnum):
    """What a tool says of itself (MCP 2025-06-18, ToolAnnotations): words, not a promise."""

    ANY = ""
    READ_ONLY = "read_only"
    WRITES = "writes"
    DESTRUCTIVE = "destructive"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What holds for calls of a server (its slug), a tool, a group, a hint; empty: for any.

    `tool` is a glob over the name that the server gives it; capital letters count.
    """

    decision: Decision
    label: str
    server: str = ""
    tool: str = "*"
    group: int | None = None
    hint: Hint = Hint.ANY

    def holds_for(self, tool: Tool, groups: Collection[int]) -> bool:
        return (
            self.server in {"", tool.server}
            and fnmatchcase(tool.remote_name, self.tool)
            and (self.group is None or self.group in groups)
            and says(tool, self.hint)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What becomes of a call, and the label of the rule that says so."""

    decision: Decision
    rule: str


def says(tool: Tool, hint: Hint) -> bool:
    """Whether this is what a tool says of itself."""
    match hint:
        case Hint.READ_ONLY:
            return tool.is_read_only
        case Hint.WRITES:
            return not tool.is_read_only
        case Hint.DESTRUCTIVE:
            return tool.is_destructive and not tool.is_read_only
        case _:
            return True


TRUSTED = (
    Rule(decision=Decision.ASK, hint=Hint.DESTRUCTIVE, label="trusted server, destructive tool"),
    Rule(decision=Decision.ALLOW, label="trusted server"),
)
NOT_TRUSTED = (
    Rule(
        decision=Decision.ALLOW,
        hint=Hint.READ_ONLY,
        label="server not trusted yet, tool that only reads",
    ),
    Rule(decision=Decision.ASK, label="server not trusted yet"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What holds for one person: all rules in their order, the person's groups, and the servers
    (their slugs) that are trusted.
    """

    rules: Sequence[Rule]
    groups: frozenset[int]
    trusted: frozenset[str]

    def verdict_on(self, tool: Tool) -> Verdict:
        """The first rule that holds decides; where none does, what is usual for its server."""
        usual = TRUSTED if tool.server in self.trusted else NOT_TRUSTED
        for rule in (*self.rules, *usual):
            if rule.holds_for(tool, self.groups):
                return Verdict(decision=rule.decision, rule=rule.label)
        raise AssertionError("the usual rules hold for every tool")
