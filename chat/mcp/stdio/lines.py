"""Bytes into lines, in bounded memory. No I/O."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from chat.mcp.http.isolation import MAX_BODY_BYTES

MAX_LINE_BYTES = MAX_BODY_BYTES
KEPT_BYTES = 256

# Where an answer says what it answers: SDKs write the id before the result, or at the very end.
_VERSION = rb'"jsonrpc"\s*:\s*"2\.0"\s*,\s*'
_ID = rb'"id"\s*:\s*(\d{1,18}|"[^"\\]{1,100}")'
_ID_FIRST = re.compile(
    rb"\s*\{\s*(?:%b)?%b\s*,\s*(?:%b)?\"(?:result|error)\"" % (_VERSION, _ID, _VERSION)
)
_RESULT_FIRST = re.compile(rb'\s*\{\s*(?:%b)?"(?:result|error)"' % _VERSION)
_ID_LAST = re.compile(rb',\s*%b\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$' % _ID)


@dataclass(frozen=True, kw_only=True, slots=True)
class TooLong:
    """What is known of a line that was not kept."""

    head: bytes
    tail: bytes

    @property
    def answers(self) -> int | str | None:
        """The id of the request that it answers, if it is an answer."""
        found = _ID_FIRST.match(self.head)
        if found is None and _RESULT_FIRST.match(self.head):
            found = _ID_LAST.search(self.tail)
        return json.loads(found[1]) if found else None


class Lines:
    """Never keeps more than MAX_LINE_BYTES and a chunk."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._head: bytes | None = None

    def feed(self, chunk: bytes) -> Iterator[bytes | TooLong]:
        """The lines that end in this chunk; empty ones are left out."""
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            self._add(end)
            line, head = bytes(self._line).strip(), self._head
            self._line.clear()
            self._head = None
            if head is not None:
                yield TooLong(head=head, tail=line)
            elif line:
                yield line
        self._add(rest)

    def _add(self, piece: bytes) -> None:
        self._line += piece
        if self._head is None and len(self._line) > MAX_LINE_BYTES:
            self._head = bytes(self._line[:KEPT_BYTES])
        if self._head is not None:
            del self._line[:-KEPT_BYTES]
