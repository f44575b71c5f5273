"""What is sent to an OpenAI-compatible API, in the form that this endpoint takes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chat.providers.failures import Refusal
from chat.tools import Tool
from chat.transcript import ChatMessage

WANTS_REASONING = re.compile(r"reasoning.{0,80}(must|required|missing|passed back)", re.I | re.S)
NO_STREAM_OPTIONS = re.compile(r"stream_options|include_usage", re.I)
NO_TOOLS = re.compile(
    r"(not|n't|no endpoints).{0,40}support.{0,40}(tool|function)"
    r"|(tool|function).{0,40}(not|n't).{0,20}support"
    r"|(unknown|unrecognized|unexpected|extra).{0,60}\btools\b",
    re.I | re.S,
)


@dataclass(slots=True)
class Habits:
    """What one endpoint was found to want; learned from its refusals, kept with its provider."""

    echo_reasoning: bool = False
    without: set[str] = field(default_factory=set)

    def learn(self, refusal: Refusal) -> bool:
        """Whether the refusal named something that can be done differently, once."""
        if refusal.status not in (400, 404, 422):
            return False
        if not self.echo_reasoning and WANTS_REASONING.search(refusal.message):
            self.echo_reasoning = True
            return True
        for name, pattern in (("stream_options", NO_STREAM_OPTIONS), ("tools", NO_TOOLS)):
            if name not in self.without and pattern.search(refusal.message):
                self.without.add(name)
                return True
        return False


def body_of(
    model_name: str,
    transcript: Sequence[ChatMessage],
    tools: Sequence[Tool],
    habits: Habits,
    endpoint: str,
) -> dict[str, Any]:
    """The JSON body of a streamed request. `endpoint` is the mark of who may see `extra` again."""
    body: dict[str, Any] = {
        "model": model_name,
        "messages": [_message(message, habits, endpoint) for message in transcript],
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [tool.to_tool_definition() for tool in tools],
    }
    return {
        name: value for name, value in body.items() if name not in habits.without and value != []
    }


def _message(message: ChatMessage, habits: Habits, endpoint: str) -> dict[str, Any]:
    sent = {name: value for name, value in message.items() if name != "reasoning"}
    if habits.echo_reasoning and message.get("reasoning"):
        sent["reasoning_content"] = message["reasoning"]
    if "tool_calls" in message:
        sent["tool_calls"] = [_tool_call(call, endpoint) for call in message["tool_calls"]]
    return sent


def _tool_call(call: Mapping[str, Any], endpoint: str) -> dict[str, Any]:
    extra = call.get("extra") or {}
    sent = {name: value for name, value in call.items() if name != "extra"}
    if extra.get("endpoint") != endpoint:
        return sent
    fields = dict(extra.get("fields", {}))
    function = fields.pop("function", {})
    return {**fields, **sent, "function": {**function, **sent["function"]}}
