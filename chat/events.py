"""ChatEvent: one thing that happened in a run, as a value, and its form on the wire.

The only place that spells the wire's event names and fields (see docs/protocol.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from json.encoder import JSONEncoder, encode_basestring
from typing import Any

from chat.text import size_of
from chat.tools import Tool, ToolCall

LARGE_RESULT_CHARACTERS = 500
_dumps = JSONEncoder(ensure_ascii=False).encode


class Kind(StrEnum):
    """Event names, as they appear in `event:` lines."""

    CONTENT = "content"
    REASONING = "reasoning"
    TOOL_CALLS = "tool_calls"
    TOOL_EXECUTING = "tool_executing"
    APPROVAL_REQUIRED = "approval_required"
    APPROVAL_DECIDED = "approval_decided"
    TOOL_PROGRESS = "tool_progress"
    TOOL_RESULT = "tool_result"
    INPUT_REQUIRED = "input_required"
    INPUT_GIVEN = "input_given"
    NOTICE = "notice"
    STEP_RESTARTED = "step_restarted"
    DONE = "done"
    ERROR = "error"


DELTAS = frozenset({Kind.CONTENT, Kind.REASONING})
TERMINAL = frozenset({Kind.DONE, Kind.ERROR})


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatEvent:
    """One event. `number` is its place in the run, 1…n, once it has been stored.

    `rule`, on the way to be stored: what let a call be made, for its row and not for the wire.
    """

    kind: Kind
    data: Mapping[str, Any]
    number: int | None = None
    rule: str = ""

    @property
    def is_terminal(self) -> bool:
        return self.kind in TERMINAL

    def to_json(self) -> str:
        """The `data:` line; characters that no database can hold are replaced."""
        return encode(self.data)

    def to_sse(self) -> str:
        """A frame of a text/event-stream (WHATWG HTML, section 9.2)."""
        return to_frame(self.number, self.kind, self.to_json())


def encode(data: Mapping[str, Any]) -> str:
    """JSON in which NUL and lone surrogates, which PostgreSQL refuses, are U+FFFD."""
    text = _dumps(data)
    if "\\u0000" in text:
        text = _dumps(_without_nul(data))
    return _without_halves(text)


def encode_delta(content: str) -> str:
    """The same as `encode({"content": content})`, for what there is most of."""
    text = f'{{"content": {encode_basestring(content)}}}'
    if "\\u0000" in text:
        return encode({"content": content})
    return text if text.isascii() else _without_halves(text)


def _without_halves(text: str) -> str:
    if not text.isascii():
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def to_frame(number: int | None, kind: str, encoded: str) -> str:
    """The frame for data that is encoded already, so that JSON is made once per event."""
    if number is None:
        return f"event: {kind}\ndata: {encoded}\n\n"
    return f"id: {number}\nevent: {kind}\ndata: {encoded}\n\n"


def _without_nul(value: Any) -> Any:
    match value:
        case str():
            return value.replace("\x00", "\ufffd")
        case Mapping():
            return {_without_nul(key): _without_nul(item) for key, item in value.items()}
        case list() | tuple():
            return [_without_nul(item) for item in value]
        case _:
            return value


def content(text: str) -> ChatEvent:
    return ChatEvent(kind=Kind.CONTENT, data={"content": text})


def reasoning(text: str) -> ChatEvent:
    return ChatEvent(kind=Kind.REASONING, data={"content": text})


def tool_calls(
    calls: Sequence[ToolCall],
    *,
    iteration: int,
    tools: Mapping[str, Tool] | None = None,
    usage: Mapping[str, float] | None = None,
) -> ChatEvent:
    """`tools`: what was offered, by name; a known tool's title and server go along.

    `usage`: of the step, as far as the model's API told it.
    """
    known = tools or {}
    asked = [_asked(call, known.get(call.name)) for call in calls]
    data: dict[str, Any] = {"tools": asked, "iteration": iteration}
    if usage:
        data["usage"] = dict(usage)
    return ChatEvent(kind=Kind.TOOL_CALLS, data=data)


def _asked(call: ToolCall, tool: Tool | None) -> dict[str, Any]:
    asked: dict[str, Any] = {"id": call.id, "name": call.name, "arguments": dict(call.arguments)}
    if call.invalid_arguments:
        asked["invalid_arguments"] = call.invalid_arguments
    if call.extra:
        asked["extra"] = dict(call.extra)
    if tool and tool.title:
        asked["title"] = tool.title
    if tool and tool.server:
        asked["server"] = tool.server
    if tool and tool.fingerprint:
        asked["fingerprint"] = tool.fingerprint
    return asked


def tool_executing(call: ToolCall, *, rule: str = "") -> ChatEvent:
    """`rule`: what of the policy lets it be called; empty where there is none."""
    data = {"tool": call.name, "id": call.id}
    return ChatEvent(kind=Kind.TOOL_EXECUTING, data=data, rule=rule)


def approval_required(
    call: ToolCall, *, tool_run_id: str, fingerprint: str, rule: str, expires_at: str
) -> ChatEvent:
    """A person must decide before this call is made."""
    data = {
        "tool": call.name,
        "id": call.id,
        "arguments": dict(call.arguments),
        "tool_run_id": tool_run_id,
        "fingerprint": fingerprint,
        "rule": rule,
        "expires_at": expires_at,
    }
    return ChatEvent(kind=Kind.APPROVAL_REQUIRED, data=data)


def approval_decided(
    call: ToolCall,
    *,
    is_allowed: bool,
    by: str,
    arguments: Mapping[str, Any] | None = None,
    is_remembered: bool = False,
) -> ChatEvent:
    """`by`: "person", "request" (nobody was to be asked) or "expiry". `arguments`: as changed.

    `is_remembered`: also for the calls to come in this conversation.
    """
    data: dict[str, Any] = {"id": call.id, "decision": "allowed" if is_allowed else "denied"}
    data["by"] = by
    if arguments is not None:
        data["arguments"] = dict(arguments)
    if is_remembered:
        data["remember"] = "conversation"
    return ChatEvent(kind=Kind.APPROVAL_DECIDED, data=data)


def tool_progress(
    call: ToolCall, progress: float, total: float | None = None, message: str | None = None
) -> ChatEvent:
    data: dict[str, Any] = {"tool": call.name, "id": call.id, "progress": progress}
    if total is not None:
        data["total"] = total
    if message:
        data["message"] = message
    return ChatEvent(kind=Kind.TOOL_PROGRESS, data=data)


def tool_result(
    call_id: str,
    tool: str,
    text: str,
    *,
    outcome: str,
    duration_ms: int,
    whole_bytes: int = 0,
    attachments: Sequence[Mapping[str, Any]] = (),
    rule: str = "",
) -> ChatEvent:
    """How a call ended. `outcome` is "ok" or one of the failures of a ToolRun.

    `whole_bytes` and `attachments`: see ToolResult. `rule`: what of the policy refused it.
    """
    data = {
        "tool": tool,
        "id": call_id,
        "result": text,
        "bytes": whole_bytes or size_of(text),
        "is_large": len(text) > LARGE_RESULT_CHARACTERS,
        "is_error": outcome != "ok",
        "outcome": outcome,
        "duration_ms": duration_ms,
    }
    if attachments:
        data["attachments"] = [dict(reference) for reference in attachments]
    if rule:
        data["rule"] = rule
    return ChatEvent(kind=Kind.TOOL_RESULT, data=data)


def input_required(
    input_id: str,
    call: ToolCall,
    *,
    server: str,
    message: str,
    schema: Mapping[str, Any] | None,
    url: str,
    expires_at: str,
) -> ChatEvent:
    """An MCP server asks the person: for a form's fields, or to open an address."""
    data: dict[str, Any] = {
        "id": input_id,
        "call_id": call.id,
        "server": server,
        "tool": call.name,
        "message": message,
        "mode": "form" if schema is not None else "url",
        "expires_at": expires_at,
    }
    data |= {"url": url} if schema is None else {"schema": dict(schema)}
    return ChatEvent(kind=Kind.INPUT_REQUIRED, data=data)


def input_given(input_id: str, call: ToolCall, *, action: str) -> ChatEvent:
    """They answered, or it expired: "accept", "decline" or "cancel"."""
    data = {"id": input_id, "call_id": call.id, "action": action}
    return ChatEvent(kind=Kind.INPUT_GIVEN, data=data)


def notice(message: str, *, code: str) -> ChatEvent:
    return ChatEvent(kind=Kind.NOTICE, data={"message": message, "code": code})


def turns_left_out(count: int) -> ChatEvent:
    """The oldest `count` turns of the conversation do not fit: the model is not shown them."""
    turns = "turn does" if count == 1 else f"{count} turns do"
    message = f"The oldest {turns} not fit any more: the model answers without."
    data = {"message": message, "code": "CONTEXT_TRIMMED", "turns_left_out": count}
    return ChatEvent(kind=Kind.NOTICE, data=data)


def step_restarted(iteration: int) -> ChatEvent:
    return ChatEvent(kind=Kind.STEP_RESTARTED, data={"iteration": iteration})


def done(text: str, *, finish_reason: str, usage: Mapping[str, Any]) -> ChatEvent:
    data = {"content": text, "finish_reason": finish_reason, "usage": dict(usage)}
    return ChatEvent(kind=Kind.DONE, data=data)


def error(message: str, *, code: str) -> ChatEvent:
    return ChatEvent(kind=Kind.ERROR, data={"message": message, "code": code})
