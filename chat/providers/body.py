"""The bytes of a response: a stream, or what some servers send in its place."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from chat.agent.ports import ProviderEvent
from chat.errors import ProviderError
from chat.providers.chunks import Answer, NotJson
from chat.providers.failures import from_error_object, not_a_stream
from chat.providers.sse import MAX_FRAME_BYTES, Frame, FrameDecoder
from chat.text import say

MAX_STREAM_BYTES = 32 << 20
MAX_FRAMES = 200_000


class Body:
    """Feed it bytes; its events go through `answer`.

    Iterate over what `feed` and `finish` return to its end: they read while they are iterated, so
    that what came before a failure is given out before it is raised.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._decoder = FrameDecoder()
        self._size = 0
        self._frames = 0
        self._start = bytearray()

    def feed(self, chunk: bytes) -> Iterator[ProviderEvent]:
        """The events that are complete now.

        Raises ProviderError for an error in the stream and past MAX_STREAM_BYTES or MAX_FRAMES.
        """
        chunk, size = chunk[: MAX_STREAM_BYTES - self._size], self._size + len(chunk)
        self._size = size
        if not self._frames:
            self._start += chunk[: MAX_FRAME_BYTES - len(self._start)]
        for frame in self._decoder.feed(chunk):
            yield from self._read(frame)
        if size > MAX_STREAM_BYTES:
            raise _too_large()

    def finish(self) -> Iterator[ProviderEvent]:
        """What the end of the bytes leaves: a last frame, or one JSON document without a stream."""
        if self._answer.is_done:
            return
        with suppress(NotJson):
            for frame in self._decoder.flush():
                yield from self._read(frame)
        if self._frames:
            return
        try:
            events = self._answer.read_document(bytes(self._start))
        except ValueError:
            raise not_a_stream(bytes(self._start)) from None
        yield from events

    def _read(self, frame: Frame) -> list[ProviderEvent]:
        self._frames += 1
        if self._answer.is_done:
            return []
        if self._frames > MAX_FRAMES:
            raise _too_large()
        if frame.event == "error":
            raise from_error_object(_error_in(frame.data))
        return self._answer.read(frame.data)


def _too_large() -> ProviderError:
    return ProviderError(say("The model's answer is larger than can be accepted."))


def _error_in(data: str) -> Any:
    """What an `error` frame holds: an error, an object around one, or just a text."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return data
    if isinstance(value, list) and value:
        value = value[0]
    return value.get("error") or value if isinstance(value, Mapping) else value
