"""What is sent to an OpenAI-compatible API, in the form that this endpoint takes."""

import json
import operator
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


class Definitions:
    """The definitions of tools as JSON, made anew only for other tools than the last ones."""

    def __init__(self) -> None:
        self._tools: Sequence[Tool] = ()
        self._encoded = "[]"

    def encoded(self, tools: Sequence[Tool]) -> str:
        # By identity: tools live as long as the listing that they come from.
        if len(tools) != len(self._tools) or any(map(operator.is_not, tools, self._tools)):
            self._tools = list(tools)
            self._encoded = json.dumps([tool.to_tool_definition() for tool in tools])
        return self._encoded


def body_of(
    model_name: str,
    transcript: Sequence[ChatMessage],
    definitions: str,
    habits: Habits,
    endpoint: str,
) -> bytes:
    """The JSON body of a streamed request. `definitions`: those of the tools, "" without any.

    `endpoint` is the mark of who may see `extra` again.
    """
    body: dict[str, Any] = {
        "model": model_name,
        "messages": [_message(message, habits, endpoint) for message in transcript],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    encoded = json.dumps({name: v for name, v in body.items() if name not in habits.without})
    if definitions and "tools" not in habits.without:
        encoded = f'{encoded[:-1]}, "tools": {definitions}}}'
    return encoded.encode()


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
