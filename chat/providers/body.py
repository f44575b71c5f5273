"""The bytes of a response: a stream, or what some servers send in its place."""

import json

from chat.agent.ports import ProviderEvent
from chat.errors import ProviderError
from chat.providers.chunks import Answer
from chat.providers.failures import not_a_stream
from chat.providers.sse import Frame, FrameDecoder

MAX_STREAM_BYTES = 32 << 20
MAX_START_BYTES = 64 << 10


class Body:
    """Feed it bytes; its events go through `answer`."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._decoder = FrameDecoder()
        self._size = 0
        self._has_frames = False
        self._start = bytearray()

    def feed(self, chunk: bytes) -> list[ProviderEvent]:
        """The events that are complete now. Raises ProviderError past MAX_STREAM_BYTES."""
        self._size += len(chunk)
        if self._size > MAX_STREAM_BYTES:
            raise ProviderError("The model's answer is larger than can be accepted.")
        frames = self._decoder.feed(chunk)
        if not self._has_frames:
            self._has_frames = bool(frames)
            if len(self._start) < MAX_START_BYTES:
                self._start += chunk
        return self._read(frames)

    def finish(self) -> list[ProviderEvent]:
        """What the end of the bytes leaves: a last frame, or one JSON document without a stream."""
        frames = self._decoder.flush()
        if frames or self._has_frames:
            return self._read(frames)
        try:
            value = json.loads(self._start)
        except ValueError:
            raise not_a_stream(bytes(self._start)) from None
        return self._answer.read_chunk(value)

    def _read(self, frames: list[Frame]) -> list[ProviderEvent]:
        return [event for frame in frames for event in self._answer.read(_payload(frame))]


def _payload(frame: Frame) -> str:
    """An `error` frame reads like an error in the stream, whatever it holds."""
    data = frame.data
    if frame.event != "error":
        return data
    try:
        value = json.loads(data)
    except ValueError:
        value = data
    if isinstance(value, dict) and "error" in value:
        return data
    return json.dumps({"error": value or "no reason given"})
