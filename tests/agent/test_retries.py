"""What is asked again, how often, and what is not: failures that may pass."""

import time

import pytest

from tests.agent.scripted import answers
from tests.servers.raw_server import ANSWER, HANG, delta, refusal, response, stream

BUSY = refusal(429, message="slow down")
CUT_AT_ONCE = stream(end="")
CUT_IN_TEXT = stream(delta(content="Half of"), end="")


@pytest.mark.parametrize(
    "failing",
    [
        [BUSY],
        [refusal(503, message="x")],
        [refusal(500, message="x")],
        [response("<html>502</html>", status="502 Bad Gateway")],
        [CUT_AT_ONCE],
        [HANG],
        [response("")],
        [BUSY, refusal(502, message="x")],
    ],
)
async def test_a_failure_that_passes_is_not_seen(failing: list[bytes]) -> None:
    events, server = await answers([*failing, ANSWER])

    kinds = [event.kind for event in events]
    assert kinds == ["step_restarted"] * len(failing) + ["content", "done"]
    assert all(event.data["iteration"] == 1 for event in events[: len(failing)])
    assert events[-1].data["content"] == "Good."
    assert len(server.requests) == len(failing) + 1


async def test_it_is_asked_three_times_in_all() -> None:
    events, server = await answers([BUSY])

    assert [event.kind for event in events] == ["step_restarted", "step_restarted", "error"]
    assert events[-1].data["code"] == "LLM_RATE_LIMITED"
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (refusal(401, message="x"), "LLM_AUTH"),
        (refusal(404, message="model m not found"), "LLM_ERROR"),
        (refusal(400, message="bad request"), "LLM_ERROR"),
        (refusal(400, message="maximum context length is 10"), "LLM_ERROR"),
        (refusal(429, "Retry-After: 31\r\n", message="x"), "LLM_RATE_LIMITED"),
        (refusal(429, code="insufficient_quota", message="x"), "LLM_RATE_LIMITED"),
    ],
)
async def test_what_will_not_pass_is_asked_once(reply: bytes, code: str) -> None:
    events, server = await answers([reply, ANSWER])

    assert [event.kind for event in events] == ["error"]
    assert events[0].data["code"] == code
    assert len(server.requests) == 1


async def test_the_wait_that_the_api_asks_for_is_kept() -> None:
    began = time.monotonic()
    events, _ = await answers([refusal(429, "Retry-After: 1\r\n", message="x"), ANSWER])

    assert time.monotonic() - began >= 1
    assert events[-1].kind == "done"


async def test_nothing_is_asked_again_once_text_was_seen() -> None:
    events, server = await answers([CUT_IN_TEXT, ANSWER])

    assert [event.kind for event in events] == ["content", "error"]
    assert (events[0].data["content"], events[1].data["code"]) == ("Half of", "LLM_INCOMPLETE")
    assert len(server.requests) == 1


async def test_a_model_that_stays_silent_is_asked_twice_and_then_ended() -> None:
    began = time.monotonic()
    events, server = await answers([HANG], silence=0.5)

    assert [event.kind for event in events] == ["step_restarted", "error"]
    assert events[-1].data["code"] == "LLM_TIMEOUT"
    assert len(server.requests) == 2
    assert 1 <= time.monotonic() - began < 5


@pytest.mark.parametrize("in_stream", [True, False])
async def test_a_tool_call_that_its_api_could_not_read_is_told_to_the_model_once(
    in_stream: bool,
) -> None:
    error = {
        "message": "Failed to call a function.",
        "code": "tool_use_failed",
        "failed_generation": "<function=echo>",
    }
    bad = stream({"error": error}) if in_stream else refusal(400, **error)
    events, server = await answers([bad, ANSWER])
    again, twice = await answers([bad])

    told = server.requests[1].body["messages"][-1]
    assert [event.kind for event in events] == ["step_restarted", "content", "done"]
    assert told["role"] == "user"
    assert "<function=echo>" in told["content"]
    assert [event.kind for event in again] == ["step_restarted", "error"]
    assert len(twice.requests) == 2


async def test_a_model_that_invents_tools_is_ended_after_three_rounds() -> None:
    function = {"name": "no_such_tool", "arguments": "{}"}
    calls = [{"index": 0, "id": "c1", "type": "function", "function": function}]
    events, server = await answers([stream(delta(tool_calls=calls), delta("tool_calls"))])

    asked = [event.data["tools"][0]["id"] for event in events if event.kind == "tool_calls"]
    assert len(set(asked)) == len(asked) == len(server.requests) == 3
    assert "no_such_tool" in server.requests[-1].body["messages"][-1]["content"]
    assert "do not exist" in events[-1].data["message"]
