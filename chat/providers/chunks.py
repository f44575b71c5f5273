"""One answer of an OpenAI-compatible API, chunk by chunk. Pure: JSON in, provider events out."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import orjson

from chat.agent.ports import (
    ContentDelta,
    ProviderEvent,
    ReasoningDelta,
    StepFinished,
    ToolCallsAsked,
)
from chat.errors import ProviderError
from chat.providers.failures import from_error_object
from chat.providers.halves import Halves
from chat.providers.thinking import Delta, ThinkTags, deltas_of, reasoning_of
from chat.providers.tool_fragments import ToolFragments
from chat.providers.usage import read_usage
from chat.text import say

CUT = frozenset({"length", "max_tokens", "model_length"})
SAYS_NOTHING = frozenset({"content", "role"})
FAILED = frozenset({"error", "insufficient_system_resource"})


class NotJson(ProviderError):
    """A payload that cannot be read; the last one may just have been cut."""


class Answer:
    """Reads chunks until the answer is over; `finish` says how it ended.

    `known_tools`: the names of the tools that were offered. `is_done`: nothing more will be read.
    `has_finished`: it was said how it ended; usage may follow.
    `heard`: how many pieces with a meaning have come, also those of calls, whose event comes
    only when they are complete.
    """

    def __init__(self, known_tools: Iterable[str] = ()) -> None:
        self.is_done = False
        self.has_finished = False
        self.heard = 0
        self._has_text = False
        self._finish_reason = ""
        self._usage: dict[str, float] = {}
        self._has_final_usage = False
        self._tools = ToolFragments(known_tools)
        self._tags = ThinkTags()
        self._text, self._thought = Halves(), Halves()

    def read(self, data: str) -> list[ProviderEvent]:
        """The events of one `data:` payload. Raises ProviderError and nothing else."""
        data = data.strip()
        if self.is_done or not data or data[0] == ":":
            return []
        if data == "[DONE]":
            self.is_done = True
            return []
        try:
            # What orjson reads has no halves; one of the piece before may wait for this one.
            if (text := plain_text(data)) and self._tags.is_text and not self._text.half:
                self.heard += 1
                self._has_text, self._has_final_usage = True, False
                return [ContentDelta(text=text)]
            return self._read_chunk(json.loads(data))
        except (ValueError, RecursionError) as error:
            raise NotJson("The model sent something that is not JSON.") from error

    def read_document(self, body: bytes) -> list[ProviderEvent]:
        """The events of a whole completion that came in place of a stream.

        Raises ValueError where the body is no JSON; ProviderError where it is no completion.
        """
        try:
            value = _first(json.loads(body))
            events = self._read_chunk(value)
        except RecursionError as error:
            raise ProviderError(say("The model sent something that is not JSON.")) from error
        if not isinstance(value, dict) or not value.get("choices"):
            raise from_error_object(value)
        self.is_done = True
        return events

    def finish(self) -> Iterator[ProviderEvent]:
        """The last events. Raises ProviderError unless they are those of a complete answer."""
        yield from self._given(self._tags.rest())
        yield from _deltas(self._thought.rest(), self._text.rest())
        is_cut = self._finish_reason in CUT
        self._check_end(is_cut=is_cut)
        calls = self._tools.calls()
        if calls:
            yield ToolCallsAsked(calls=calls)
        elif not self._has_text and not (is_cut and self.heard):
            raise ProviderError(say("The model sent an empty answer."), retryable=True)
        yield StepFinished(finish_reason="length" if is_cut else "stop", usage=self._usage)

    def _check_end(self, *, is_cut: bool) -> None:
        reason = self._finish_reason
        if not (reason or self.is_done or self._has_final_usage):
            raise ProviderError(
                say("The model's answer broke off."), code="LLM_INCOMPLETE", retryable=True
            )
        if reason == "content_filter":
            raise ProviderError(say("The provider's content filter stopped the answer."))
        if reason in FAILED:
            raise from_error_object({"code": reason})
        if is_cut and self._tools:
            # A call that was cut must never be executed.
            raise ProviderError(
                say("The model's answer was cut off in the middle of a tool call."),
                code="LLM_INCOMPLETE",
            )

    def _read_chunk(self, chunk: Any) -> list[ProviderEvent]:
        chunk = _first(chunk)
        if not isinstance(chunk, dict):
            return []
        if error := chunk.get("error") or (chunk.get("object") == "error" and chunk):
            raise from_error_object(error)
        choices = chunk.get("choices")
        found: list[ProviderEvent] = []
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict) and choice.get("index") in (0, None):
                self._read_choice(choice, found)
        if isinstance(usage := chunk.get("usage"), dict):
            self._usage = read_usage(usage) or self._usage
        # Some send it with every chunk: it tells the end only where it comes alone and last.
        self._has_final_usage = not choices and (bool(usage) or self._has_final_usage)
        return found

    def _read_choice(self, choice: Mapping[str, Any], found: list[ProviderEvent]) -> None:
        if error := choice.get("error"):
            raise from_error_object(error)
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            self._finish_reason = reason
            self.has_finished = True
        delta = choice.get("delta")
        if delta is None and not self.heard:
            # Only in place of deltas: behind them, some repeat the whole message.
            delta = choice.get("message")
        if isinstance(delta, dict):
            self._read_delta(delta, found)

    def _read_delta(self, delta: Mapping[str, Any], found: list[ProviderEvent]) -> None:
        if text := reasoning_of(delta):
            found += self._given([ReasoningDelta(text=text)])
        content = delta.get("content") or delta.get("refusal")
        if isinstance(content, str):
            found += self._given(self._tags.add(content))
        elif content:
            for part in deltas_of(content):
                is_text = isinstance(part, ContentDelta)
                found += self._given(self._tags.add(part.text) if is_text else [part])
        fragments = delta.get("tool_calls")
        for fragment in fragments if isinstance(fragments, list) else ():
            if isinstance(fragment, dict):
                self.heard += 1
                self._tools.add(fragment)

    def _given(self, deltas: Iterable[Delta]) -> list[Delta]:
        found: list[Delta] = []
        for delta in deltas:
            self.heard += 1
            is_text = isinstance(delta, ContentDelta)
            self._has_text = self._has_text or is_text
            text = (self._text if is_text else self._thought).add(delta.text)
            if text == delta.text:
                found.append(delta)
            elif text:
                found.append(replace(delta, text=text))
        return found


def _deltas(thought: str, text: str) -> Iterator[Delta]:
    if thought:
        yield ReasoningDelta(text=thought)
    if text:
        yield ContentDelta(text=text)


def plain_text(data: str) -> str:
    """The text of a chunk that says nothing else, as nearly all do; "" of any other.

    Only here is orjson's reading good enough: it makes floats of large integers.
    """
    try:
        chunk = orjson.loads(data)
        (choice,) = chunk["choices"]
        delta = choice["delta"]
        text = delta["content"]
        says_more = (
            choice.get("finish_reason")
            or choice.get("index") not in (0, None)
            or choice.get("error")
            or chunk.get("usage")
            or chunk.get("error")
            or chunk.get("object") == "error"
            or (len(delta) > 1 and any(delta[key] for key in delta.keys() - SAYS_NOTHING))
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return ""
    return "" if says_more or not isinstance(text, str) else text


def _first(value: Any) -> Any:
    """Some wrap what they send into a list of one."""
    return value[0] if isinstance(value, list) and value else value
