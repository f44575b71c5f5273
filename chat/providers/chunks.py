"""One answer of an OpenAI-compatible API, chunk by chunk. Pure: JSON in, provider events out."""

import json
from collections.abc import Mapping
from typing import Any

from chat.agent.ports import (
    ContentDelta,
    ProviderEvent,
    ReasoningDelta,
    StepFinished,
    ToolCallsAsked,
)
from chat.errors import ProviderError
from chat.providers.failures import from_error_object
from chat.providers.tool_fragments import ToolFragments

REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking")


class Answer:
    """Reads chunks until the answer is over; `finish` says how it ended."""

    def __init__(self) -> None:
        self.is_done = False
        self._finish_reason = ""
        self._usage: dict[str, int] = {}
        self._tools = ToolFragments()
        self._has_tools = False

    def read(self, data: str) -> list[ProviderEvent]:
        """The events of one `data:` payload. Raises ProviderError for an error in the stream."""
        data = data.strip()
        if data == "[DONE]":
            self.is_done = True
            return []
        if not data or data.startswith(":"):
            return []
        try:
            chunk = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ProviderError("The model sent something that is not JSON.") from error
        return self.read_chunk(chunk)

    def read_chunk(self, chunk: Any) -> list[ProviderEvent]:
        if isinstance(chunk, list) and chunk:
            chunk = chunk[0]
        if not isinstance(chunk, Mapping):
            return []
        if chunk.get("error"):
            raise from_error_object(chunk["error"])
        self._read_usage(chunk.get("usage"))
        choices = chunk.get("choices")
        if not isinstance(choices, list):
            return []
        found: list[ProviderEvent] = []
        for choice in choices:
            if isinstance(choice, Mapping) and choice.get("index", 0) in (0, None):
                self._read_choice(choice, found)
        return found

    def finish(self) -> list[ProviderEvent]:
        """The last events. Raises ProviderError if nothing says that the answer is complete."""
        if not (self._finish_reason or self.is_done or self._usage):
            raise ProviderError("The model's answer broke off.", code="LLM_INCOMPLETE")
        is_cut = self._finish_reason == "length"
        if self._has_tools and is_cut:
            # A call that was cut must never be executed.
            raise ProviderError(
                "The model's answer was cut off in the middle of a tool call.",
                code="LLM_INCOMPLETE",
            )
        calls = self._tools.calls()
        asked: list[ProviderEvent] = [ToolCallsAsked(calls=calls)] if calls else []
        reason = "length" if is_cut else "stop"
        return [*asked, StepFinished(finish_reason=reason, usage=self._usage)]

    def _read_choice(self, choice: Mapping[str, Any], found: list[ProviderEvent]) -> None:
        if isinstance(reason := choice.get("finish_reason"), str) and reason:
            self._finish_reason = reason
        delta = choice.get("delta") or choice.get("message")
        if not isinstance(delta, Mapping):
            return
        for name in REASONING_FIELDS:
            if isinstance(text := delta.get(name), str) and text:
                found.append(ReasoningDelta(text=text))
                break
        _read_content(delta.get("content"), found)
        calls = delta.get("tool_calls")
        for fragment in calls if isinstance(calls, list) else ():
            if isinstance(fragment, Mapping):
                self._has_tools = True
                self._tools.add(fragment)

    def _read_usage(self, usage: Any) -> None:
        if not isinstance(usage, Mapping):
            return
        known = {
            "input_tokens": usage.get("prompt_tokens"),
            "output_tokens": usage.get("completion_tokens"),
            "reasoning_tokens": _detail(usage, "completion_tokens_details", "reasoning_tokens"),
            "cached_tokens": _detail(usage, "prompt_tokens_details", "cached_tokens"),
        }
        self._usage = {name: count for name, count in known.items() if isinstance(count, int)}


def _read_content(content: Any, found: list[ProviderEvent]) -> None:
    if isinstance(content, str):
        if content:
            found.append(ContentDelta(text=content))
        return
    parts = content if isinstance(content, list) else ()
    texts = (part.get("text") for part in parts if isinstance(part, Mapping))
    found += [ContentDelta(text=text) for text in texts if isinstance(text, str) and text]


def _detail(usage: Mapping[str, Any], group: str, name: str) -> Any:
    details = usage.get(group)
    return details.get(name) if isinstance(details, Mapping) else None
