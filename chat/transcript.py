"""What the model is shown, in the form of OpenAI-compatible chat messages.

Invariant: every assistant message with tool calls is followed by exactly one tool message
per call, whatever happened to the calls (stopped, crashed, denied, lost).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chat.steps import Step
from chat.tools import ToolCall

ChatMessage = dict[str, Any]
NO_RESULT = "[no result: the call was interrupted; its outcome is unknown]"


def system(text: str) -> ChatMessage:
    return {"role": "system", "content": text}


def user(text: str) -> ChatMessage:
    return {"role": "user", "content": text}


def assistant(text: str, calls: Sequence[ToolCall] = ()) -> ChatMessage:
    message: ChatMessage = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [_tool_call(call.id, call.name, call.arguments) for call in calls]
    return message


def tool(call_id: str, text: str) -> ChatMessage:
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def of_steps(steps: Iterable[Step]) -> list[ChatMessage]:
    """The messages for an answer that is over, or was cut."""
    messages: list[ChatMessage] = []
    for step in steps:
        if not step.content and not step.calls:
            continue
        message: ChatMessage = {"role": "assistant", "content": step.content}
        if step.calls:
            message["tool_calls"] = [
                _tool_call(call["id"], call["name"], call["arguments"]) for call in step.calls
            ]
        messages.append(message)
        messages.extend(tool(call["id"], call.get("result", NO_RESULT)) for call in step.calls)
    return messages


def _tool_call(call_id: str, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    encoded = json.dumps(dict(arguments), ensure_ascii=False)
    return {
        "id": call_id,
        "type": "function",
        "function": {"name": name, "arguments": encoded},
    }
