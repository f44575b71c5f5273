"""Bytes in, frames out: the decoder of text/event-stream. No I/O.

Follows the WHATWG specification (HTML, section 9.2.6) and, beyond it: what the last bytes say
is delivered although no blank line ends it, and a field named `error` is an error frame.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from chat.errors import ProviderError
from chat.text import say

MAX_FRAME_BYTES = 1 << 20
BOM = b"\xef\xbb\xbf"


class Frame(NamedTuple):
    """One dispatched event. `event` is "message" where the stream names none."""

    data: str
    event: str = "message"


class FrameDecoder:
    """Feed it bytes, cut anywhere; then `flush` once. Linear in time, bounded in memory.

    Iterate over what `feed` and `flush` return to its end: they read while they are iterated.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._is_first = True
        self._skip_lf = False
        self._event = ""
        self._data = bytearray()
        self._data_size = 0

    def feed(self, chunk: bytes) -> Iterable[Frame]:
        """The frames that are complete now.

        Raises ProviderError behind the last one that is whole where a line, or the data of one
        frame, is larger than MAX_FRAME_BYTES.
        """
        if self._is_whole(chunk):
            # Nearly always there is one.
            is_short = len(chunk) <= MAX_FRAME_BYTES
            if is_short and chunk.startswith(b"data: ") and chunk.count(b"\n") == 2:
                return (Frame(chunk[6:-2].decode("utf-8", "replace")),)
            blocks = chunk[:-2].split(b"\n\n")
            if all(map(_is_line_of_data, blocks)):
                return [Frame(_text(block[6:])) for block in blocks]
        return self._feed(chunk)

    def _feed(self, chunk: bytes) -> Iterator[Frame]:
        if self._skip_lf and chunk:
            # The second half of a CRLF that was cut in two ends nothing.
            chunk = chunk.removeprefix(b"\n")
            self._skip_lf = False
        self._rest += chunk
        if self._is_first and not self._strip_bom():
            return
        if b"\n" in chunk or b"\r" in chunk:
            # Of bytes, unlike of text, this splits at CR, LF and CRLF only.
            lines = bytes(self._rest).splitlines()
            self._rest.clear()
            if not chunk.endswith((b"\n", b"\r")):
                self._rest += lines.pop()
            self._skip_lf = chunk.endswith(b"\r")
            for line in lines:
                if frame := self._read(line):
                    yield frame
        self._check(len(self._rest))

    def _is_whole(self, chunk: bytes) -> bool:
        """Whether it begins and ends where frames do, as nearly every chunk does."""
        is_between = not (self._rest or self._event or self._data_size or self._skip_lf)
        is_cut_here = chunk.endswith(b"\n\n") and b"\r" not in chunk
        return is_between and is_cut_here and not self._is_first

    def flush(self) -> Iterator[Frame]:
        """What the end of the bytes leaves behind: a last line, a last frame. Raises like feed."""
        for line in (bytes(self._rest), b""):
            if frame := self._read(line):
                yield frame
        self._rest.clear()

    def _strip_bom(self) -> bool:
        """False while the first bytes may still turn out to be a byte-order mark."""
        if len(self._rest) < len(BOM) and BOM.startswith(self._rest):
            return False
        if self._rest.startswith(BOM):
            del self._rest[: len(BOM)]
        self._is_first = False
        return True

    def _read(self, line: bytes) -> Frame | None:
        """The frame that this line completes."""
        if not line:
            return self._complete()
        self._check(len(line))
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                if self._data_size:
                    self._data += b"\n"
                self._data += value
                # With the names: lines without a value add up as well.
                self._data_size += len(line)
                self._check(self._data_size)
            case b"event":
                self._event = _text(value)
            case b"error":
                return Frame(event="error", data=_text(value))
        return None

    def _complete(self) -> Frame | None:
        event, has_data = self._event, bool(self._data_size)
        frame = Frame(event=event or "message", data=_text(self._data)) if has_data else None
        self._event, self._data_size = "", 0
        self._data.clear()
        return frame

    @staticmethod
    def _check(size: int) -> None:
        if size > MAX_FRAME_BYTES:
            raise ProviderError(say("The model sent more in one piece than can be accepted."))


def _is_line_of_data(block: bytes) -> bool:
    return block.startswith(b"data: ") and b"\n" not in block and len(block) <= MAX_FRAME_BYTES


def _text(data: bytes | bytearray) -> str:
    return data.decode("utf-8", "replace")
