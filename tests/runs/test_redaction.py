"""What is redacted is never stored, although tools get the whole of it."""

import json
import random
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from django.forms.models import model_to_dict

from chat.events import ChatEvent, content, done, reasoning
from chat.models import AgentRun, Approval
from chat.redaction import HELD_CHARACTERS, NotKept, Redaction, Veil
from tests.people import Person
from tests.servers.mcp_server import ScriptedMCPServer
from tests.servers.site import Site
from tests.sse import begin, read

CARD = re.compile(r"CARD-\d+")
RULES = Redaction(keys=("password", "*_key"), patterns=(CARD,))
# The model is told by the question, which is redacted too: so it is told in other words.
SCRIPT = (
    r'[[call echo {"text": "\u0043ARD-4111 is mine", "password": "hunter2"}]][[then]]'
    r"[[text I noted C]][[text ARD-41]][[text 11 for you.]]"
)


def everything_of(run: AgentRun) -> str:
    """All that is stored of it, as text."""
    rows: list[Any] = [run, run.conversation, *run.conversation.messages.all()]
    rows += [*run.events.all(), *run.tool_runs.all()]
    return json.dumps([model_to_dict(row) for row in rows], default=str) + str(
        [row.data for row in run.events.all()]
    )


def test_tools_get_it_and_nobody_keeps_it(
    alice: Person, new_site: Callable[..., Site], mcp_server: ScriptedMCPServer
) -> None:
    site = new_site(REDACT_PATTERNS=r"CARD-\d+ never\smatches")
    with httpx.Client(base_url=site.url, headers=alice.headers, timeout=30) as api:
        started = begin(api, SCRIPT + " (CARD-4111)")
        seen = read(api, started["run_id"])

    assert ("echo", {"text": "CARD-4111 is mine"}) in mcp_server.calls
    run = AgentRun.objects.get(pk=started["run_id"])
    stored = everything_of(run)
    assert "CARD-4111" not in stored
    assert '"password": "[redacted]"' in stored
    (tool_run,) = run.tool_runs.all()
    assert tool_run.arguments == {"text": "[redacted] is mine", "password": "[redacted]"}
    assert tool_run.result == "[redacted] is mine"
    text = "".join(frame.data["content"] for frame in seen if frame.event == "content")
    assert text == seen[-1].data["content"] == "I noted [redacted] for you."
    assert run.message.content.endswith("([redacted])")


def test_a_call_that_was_allowed_is_whole_and_one_that_is_not_whole_is_not_made(
    alice: Person, new_site: Callable[..., Site], mcp_server: ScriptedMCPServer
) -> None:
    site = new_site(REDACT_PATTERNS=r"CARD-\d+")
    question = r'[[call wipe {"path": "\u0043ARD-12"}]][[then]][[text Done.]]'
    mcp_server.calls.clear()
    with httpx.Client(base_url=site.url, headers=alice.headers, timeout=30) as api:

        def waiting() -> tuple[str, dict[str, Any]]:
            run_id = begin(api, question)["run_id"]
            seen = read(api, run_id, until=lambda frame: frame.event == "approval_required")
            return run_id, seen[-1].data

        run_id, asked = waiting()
        assert asked["arguments"] == {"path": "[redacted]"}
        changed = {"path": "[redacted]", "force": True}
        decision = {"decision": "allow", "arguments": changed}
        api.post(f"/api/tool-runs/{asked['tool_run_id']}/approvals/", json=decision)
        assert read(api, run_id)[-1].event == "done"
        assert mcp_server.calls == [("wipe", {"path": "CARD-12", "force": True})]
        assert Approval.objects.get(tool_run=asked["tool_run_id"]).changed_arguments == changed

        run_id, asked = waiting()
        site.stop()
        site.start()
        result = next(frame.data for frame in read(api, run_id) if frame.event == "tool_result")

    assert (result["outcome"], "are not kept" in result["result"]) == ("blocked", True)
    assert len(mcp_server.calls) == 1
    assert "CARD-12" not in everything_of(AgentRun.objects.get(pk=run_id))
    assert Approval.objects.get(tool_run=asked["tool_run_id"]).state == "cancelled"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("CARD-1 and CARD-22.", "[redacted] and [redacted]."),
        ('{"a": {"Password": 7, "x": 1}}', '{"a": {"Password": "[redacted]", "x": 1}}'),
        ('{"b":1,  "x":[]}', '{"b":1,  "x":[]}'),
        (
            'said {"api-key": "a\\"b", "password": ""}.',
            'said {"api-key": "[redacted]", "password": ""}.',
        ),
        ('{"password": "cut off', '{"password": "[redacted]"'),
        ('"password": 12, ', '"password": "[redacted]", '),
        ("password: hunter2", "password: hunter2"),
    ],
)
def test_texts(text: str, shown: str) -> None:
    assert RULES.document(text) == shown
    assert Redaction().document(text) == text


def test_a_match_is_never_seen_in_two_halves() -> None:
    chance = random.Random(7)
    for _ in range(300):
        words = [chance.choice(["x " * 60, "CARD-", "12", "CARD-345 ", "C"]) for _ in range(12)]
        whole, pieces = "".join(words), []
        at = 0
        while at < len(whole):
            size = chance.randint(1, 40)
            pieces.append(whole[at : at + size])
            at += size
        veil = Veil(RULES)

        shown: list[ChatEvent] = [e for piece in pieces for e in veil.pass_on(content(piece))]
        behind = len(whole) - sum(len(event.data["content"]) for event in shown)
        shown += veil.pass_on(done(whole, finish_reason="stop", usage={}))

        text = "".join(event.data["content"] for event in shown[:-1])
        assert text == shown[-1].data["content"] == RULES.text(whole)
        assert behind <= HELD_CHARACTERS + len(whole) - len(text) + 20


def test_nothing_is_held_back_where_there_is_no_pattern() -> None:
    event = content("a")

    assert list(Veil(Redaction(keys=("password",))).pass_on(event)) == [event]


def test_thinking_and_text_do_not_mix() -> None:
    veil = Veil(RULES)
    said = [reasoning("CARD-"), content("12"), done("12", finish_reason="stop", usage={})]

    shown = [(event.kind, event.data["content"]) for each in said for event in veil.pass_on(each)]

    assert shown == [("reasoning", "CARD-"), ("content", "12"), ("done", "12")]


def test_what_a_person_left_as_it_was_means_what_was_asked() -> None:
    asked = {"to": "bank", "password": "hunter2", "list": ["CARD-1", 2]}
    stored = RULES.value(asked)

    assert RULES.put_back({**stored, "to": "shop"}, asked) == {**asked, "to": "shop"}
    for changed in (
        {**stored, "list": ["pay [redacted]", 2]},
        {"api_key": "[redacted]"},
        {"to": "[redacted]"},
    ):
        with pytest.raises(NotKept):
            RULES.put_back(changed, asked)


@pytest.mark.parametrize(
    "text", ['["x",' * 1000, '{"a":[' * 600 + "1" + "]}" * 600, '{"password":' * 1000]
)
def test_what_is_nested_too_deeply_is_looked_at_as_text(text: str) -> None:
    secret = f'{text} {{"password": "hunter2"}}'

    assert RULES.document(text) == text
    assert "hunter2" not in RULES.document(secret)


def test_a_pattern_that_matches_on_nothing_replaces_nothing() -> None:
    border = Redaction(patterns=(re.compile(r"\b"), re.compile(r"(?=x)|secret")))

    assert border.text("a x, a secret") == "a x, a [redacted]"
