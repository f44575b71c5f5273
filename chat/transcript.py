"""What the model is shown, in the form of OpenAI-compatible chat messages.

Invariant: every assistant message with tool calls is followed by exactly one tool message
per call, whatever happened to the calls (stopped, crashed, denied, lost).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chat.steps import Step
from chat.text import cut
from chat.tools import ToolCall

ChatMessage = dict[str, Any]
# Of one result, in UTF-8: a model reads slowly, and forgets the question over too much.
MAX_TOOL_BYTES = 64 << 10
NO_RESULT = "[no result: the call was interrupted; its outcome is unknown]"


def system(text: str) -> ChatMessage:
    return {"role": "system", "content": text}


def user(text: str) -> ChatMessage:
    return {"role": "user", "content": text}


def assistant(text: str, calls: Sequence[ToolCall] = (), *, reasoning: str = "") -> ChatMessage:
    """`reasoning`, and `extra` of a call, are for the provider: it decides who gets them back."""
    asked = [_tool_call(call.id, call.name, call.arguments, call.extra) for call in calls]
    return _assistant(text, asked, reasoning)


def tool(call_id: str, text: str, *, whole_bytes: int = 0) -> ChatMessage:
    """At most MAX_TOOL_BYTES of the result; `whole_bytes`: see ToolResult."""
    shown = cut(text, MAX_TOOL_BYTES, whole_bytes=whole_bytes)
    return {"role": "tool", "tool_call_id": call_id, "content": shown}


def of_steps(steps: Iterable[Step]) -> list[ChatMessage]:
    """The messages for an answer that is over, or was cut."""
    messages: list[ChatMessage] = []
    for step in steps:
        if not step.content and not step.calls:
            continue
        asked = [
            _tool_call(call["id"], call["name"], call["arguments"], call.get("extra", {}))
            for call in step.calls
        ]
        messages.append(_assistant(step.content, asked, step.reasoning))
        messages.extend(
            tool(call["id"], call.get("result", NO_RESULT), whole_bytes=call.get("bytes", 0))
            for call in step.calls
        )
    return messages


def _assistant(text: str, asked: list[dict[str, Any]], reasoning: str) -> ChatMessage:
    message: ChatMessage = {"role": "assistant", "content": text}
    if asked:
        message["tool_calls"] = asked
    if reasoning:
        message["reasoning"] = reasoning
    return message


def _tool_call(
    call_id: str, name: str, arguments: Mapping[str, Any], extra: Mapping[str, Any]
) -> dict[str, Any]:
    encoded = json.dumps(dict(arguments), ensure_ascii=False)
    function = {"name": name, "arguments": encoded}
    call: dict[str, Any] = {"id": call_id, "type": "function", "function": function}
    return {**call, "extra": dict(extra)} if extra else call
