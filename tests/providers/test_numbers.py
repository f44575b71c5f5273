"""Numbers as the model wrote them."""

import json

from chat.agent.ports import ToolCallsAsked
from chat.providers.body import Body
from chat.providers.chunks import Answer

LARGE = 123456789012345678901234567890


def test_large_integers_in_arguments_stay_what_they_are() -> None:
    call = {"id": "a", "index": 0, "function": {"name": "t", "arguments": {"n": LARGE}}}
    choice = {"delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}
    answer = Answer(["t"])

    chunk = b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"
    found = [*Body(answer).feed(chunk), *answer.finish()]

    asked = next(event for event in found if isinstance(event, ToolCallsAsked))
    assert asked.calls[0].arguments == {"n": LARGE}
