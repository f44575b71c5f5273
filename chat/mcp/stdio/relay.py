"""What a child says beside the protocol: a bounded part of it for our log, its last words for us.

A log of its own for each child would have to be rotated and found; its lines belong where the
operator looks anyway. All of it is read, so that no child waits for us, but a flood leaves only
LINES_A_MINUTE lines and the number of the others.
"""

import asyncio
import logging
import re
import time
from collections.abc import Collection

from chat.mcp.credentials import masked
from chat.text import visible

logger = logging.getLogger(__name__)

LINES_A_MINUTE = 60
MAX_LINE_CHARACTERS = 500
KEPT_BYTES = 4 * MAX_LINE_CHARACTERS
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# Lines that end a trace, or belong to one, and say nothing about the cause.
_NOISE = re.compile(r"\s|[{}\])]|Node\.js v\d|npm (error|ERR!) A complete log")


class Relay:
    """`last_words`: the last line that could be a reason. Secrets of the server are masked."""

    def __init__(self, slug: str, secrets: Collection[str]) -> None:
        self.last_words = ""
        self._slug = slug
        self._secrets = secrets
        self._minute = time.monotonic()
        self._shown = self._left_out = 0

    async def follow(self, stream: asyncio.StreamReader) -> None:
        """Until the stream ends."""
        rest = b""
        while chunk := await stream.read(KEPT_BYTES * 32):
            if self._is_full():
                # Not worth a look at each line, but the last ones may tell why it ends.
                self._left_out += chunk[:-KEPT_BYTES].count(b"\n")
                chunk = chunk[-KEPT_BYTES:]
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self.say(line[:KEPT_BYTES].decode("utf-8", "replace"))
            rest = rest[:KEPT_BYTES]
        self.say(rest.decode("utf-8", "replace"))
        self._tell_left_out()

    def say(self, text: str) -> None:
        """One line, which may come to the log."""
        line = masked(visible(_COLOURS.sub("", text)).rstrip(), self._secrets)
        if not line:
            return
        line = line[:MAX_LINE_CHARACTERS]
        if not _NOISE.match(line):
            self.last_words = line
        if self._is_full():
            self._left_out += 1
        else:
            self._shown += 1
            logger.info("MCP server %s says: %s", self._slug, line)

    def _is_full(self) -> bool:
        if time.monotonic() - self._minute >= 60:
            self._tell_left_out()
            self._minute, self._shown = time.monotonic(), 0
        return self._shown >= LINES_A_MINUTE

    def _tell_left_out(self) -> None:
        if self._left_out:
            logger.info("MCP server %s says %s more lines", self._slug, f"{self._left_out:,}")
        self._left_out = 0
