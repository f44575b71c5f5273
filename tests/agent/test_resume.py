"""Going on with an answer that was cut: nothing finished is repeated, nothing is guessed."""

from typing import Any

import pytest

from chat import transcript
from chat.agent.loop import Limits, run_agent
from chat.events import ChatEvent
from chat.mcp.hub import Hub
from chat.providers.http import create_http_client
from chat.providers.openai import OpenAIProvider
from chat.steps import Step
from tests.mcp.steps import config
from tests.servers.bare_mcp_server import BareMCPServer
from tests.servers.model_server import mismatch
from tests.servers.raw_server import ANSWER, RawServer


def definition(name: str, **hints: bool) -> dict[str, Any]:
    return {"name": name, "inputSchema": {"type": "object"}, "annotations": hints}


def call(name: str, **values: Any) -> dict[str, Any]:
    return {"id": f"id-{name}", "name": name, "arguments": {}, **values}


ENDED = {"result": "fine", "outcome": "ok", "duration_ms": 1, "bytes": 4}


async def resumed(
    begun: list[Step], *, may_repeat: bool = False
) -> tuple[list[ChatEvent], list[dict[str, Any]], list[str]]:
    """The events that follow, the messages that the model was shown, the calls that were made."""
    events: list[ChatEvent] = []

    async def record(event: ChatEvent) -> None:
        events.append(event)

    definitions = [definition("ok", readOnlyHint=True), definition("write"), definition("other")]
    hub = Hub()
    with RawServer([ANSWER]) as model, BareMCPServer(definitions) as server:
        hub.configure([config(server.url, may_repeat=may_repeat)])
        async with create_http_client() as http:
            await run_agent(
                [transcript.user("go")],
                provider=OpenAIProvider(
                    base_url=model.base_url, api_key="", model_name="m", http_client=http
                ),
                toolbox=hub.open_toolbox(),
                record=record,
                limits=Limits(),
                begun=begun,
            )
        await hub.aclose()
        messages = model.requests[-1].body["messages"]
        assert len(model.requests) == 1
        assert mismatch(messages) == ""
        return events, messages, server.calls


async def test_a_text_that_was_cut_is_asked_for_again() -> None:
    events, messages, _ = await resumed([Step(content="Half of", reasoning="Hm.")])

    assert [event.kind for event in events] == ["step_restarted", "content", "done"]
    assert messages == [transcript.user("go")]
    assert events[-1].data["usage"] == {}


async def test_a_call_of_which_something_was_redacted_is_not_made() -> None:
    redacted = {"arguments": {"password": "[redacted]"}, "redacted": True}
    step = Step(
        calls=[
            call("other", state="requested", **redacted),
            call("ok", state="running", **redacted),
        ]
    )
    events, messages, calls = await resumed([step], may_repeat=True)

    outcomes = {e.data["id"]: e.data["outcome"] for e in events if e.kind == "tool_result"}
    assert outcomes == {"id-other": "blocked", "id-ok": "lost"}
    assert calls == []
    assert any("arguments are not kept" in str(message["content"]) for message in messages)


async def test_a_call_that_ran_is_lost_and_one_that_did_not_is_made() -> None:
    step = Step(
        content="Let me see.",
        calls=[
            call("ok", **ENDED),
            call("write", state="running"),
            call("other", state="requested"),
        ],
    )
    events, messages, calls = await resumed([step])

    outcomes = {e.data["id"]: e.data["outcome"] for e in events if e.kind == "tool_result"}
    assert outcomes == {"id-write": "lost", "id-other": "ok"}
    assert calls == ["other"]
    results = {m["tool_call_id"]: m["content"] for m in messages if m["role"] == "tool"}
    assert results["id-ok"] == results["id-other"] == "fine"
    assert "do not assume either way" in results["id-write"]
    assert messages[1]["content"] == "Let me see."
    assert events[-1].kind == "done"


@pytest.mark.parametrize(
    ("name", "may_repeat", "outcome"),
    [("ok", True, "ok"), ("ok", False, "lost"), ("write", True, "lost")],
)
async def test_only_what_is_harmless_and_allowed_is_repeated(
    name: str, may_repeat: bool, outcome: str
) -> None:
    step = Step(calls=[call(name, state="running")])

    events, _, calls = await resumed([step], may_repeat=may_repeat)

    assert [e.data["outcome"] for e in events if e.kind == "tool_result"] == [outcome]
    assert calls == ([name] if outcome == "ok" else [])


async def test_finished_steps_are_kept_and_counted() -> None:
    begun = [Step(calls=[call("ok", **ENDED)]), Step(content="Then ", reasoning="so")]

    events, messages, calls = await resumed(begun)

    assert events[0].kind == "step_restarted"
    assert events[0].data == {"iteration": 2}
    assert [m["role"] for m in messages] == ["user", "assistant", "tool"]
    assert calls == []


@pytest.mark.parametrize(("state", "outcome"), [("requested", "blocked"), ("running", "lost")])
async def test_a_name_that_is_another_tool_s_by_now_is_not_called(state: str, outcome: str) -> None:
    step = Step(calls=[call("ok", state=state, server="bank", fingerprint="another")])

    events, _, calls = await resumed([step], may_repeat=True)

    assert [e.data["outcome"] for e in events if e.kind == "tool_result"] == [outcome]
    assert calls == []
