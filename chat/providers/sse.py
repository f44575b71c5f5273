"""Bytes in, frames out: the decoder of text/event-stream. No I/O.

Follows the WHATWG specification (HTML, section 9.2.6) and, beyond it: what the last bytes say
is delivered although no blank line ends it, and a field named `error` is an error frame.
"""

import re
from dataclasses import dataclass

from chat.errors import ProviderError

MAX_FRAME_BYTES = 1 << 20
BOM = b"\xef\xbb\xbf"
LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """One dispatched event. `event` is "message" where the stream names none."""

    data: str
    event: str = "message"


class FrameDecoder:
    """Feed it bytes, cut anywhere; then `flush` once. Linear in time, bounded in memory."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._is_first = True
        self._skip_lf = False
        self._event = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that are complete now. Raises ProviderError past MAX_FRAME_BYTES."""
        if self._skip_lf and chunk:
            # The second half of a CRLF that was cut in two ends nothing.
            chunk = chunk.removeprefix(b"\n")
            self._skip_lf = False
        self._rest += chunk
        if self._is_first and not self._strip_bom(is_end=False):
            return []
        frames: list[Frame] = []
        if b"\n" in chunk or b"\r" in chunk:
            *lines, rest = LINE_END.split(bytes(self._rest))
            self._rest = bytearray(rest)
            self._skip_lf = chunk.endswith(b"\r")
            for line in lines:
                self._line(line, frames)
        self._check(len(self._rest))
        return frames

    def flush(self) -> list[Frame]:
        """What the end of the bytes leaves behind: a last line, a last frame."""
        if self._is_first:
            self._strip_bom(is_end=True)
        frames: list[Frame] = []
        if self._rest:
            self._line(bytes(self._rest), frames)
        self._rest.clear()
        self._line(b"", frames)
        return frames

    def _strip_bom(self, *, is_end: bool) -> bool:
        """False while the first bytes may still turn out to be a byte-order mark."""
        if len(self._rest) < len(BOM) and BOM.startswith(bytes(self._rest)) and not is_end:
            return False
        if self._rest.startswith(BOM):
            del self._rest[: len(BOM)]
        self._is_first = False
        return True

    def _line(self, line: bytes, frames: list[Frame]) -> None:
        if not line:
            self._dispatch(frames)
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                self._size += len(value)
                self._check(self._size)
                self._data.append(value.decode("utf-8", "replace"))
            case b"event":
                self._event = value.decode("utf-8", "replace")
            case b"error":
                frames.append(Frame(event="error", data=value.decode("utf-8", "replace")))

    def _dispatch(self, frames: list[Frame]) -> None:
        if self._data:
            frames.append(Frame(event=self._event or "message", data="\n".join(self._data)))
        self._event, self._data, self._size = "", [], 0

    @staticmethod
    def _check(size: int) -> None:
        if size > MAX_FRAME_BYTES:
            raise ProviderError("The model sent more in one piece than can be accepted.")
