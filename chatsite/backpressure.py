"""Sends a response no faster than its reader takes it.

Daphne writes whatever it is given into the connection's buffer and returns at once, so a reader
who takes nothing would have all of a stream kept in memory. uvicorn waits by itself.
See docs/decisions/0011-slow-readers.md.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

Send = Callable[[dict[str, Any]], Awaitable[None]]

# Without a byte taken, while some are waiting.
WRITE_TIMEOUT_SECONDS = 20


def paced(send: Send) -> Send:
    """`send` that waits for its reader, whatever the server."""
    # Daphne's is a partial of its own method and the request.
    request = next(iter(getattr(send, "args", ())), None)
    return Pace(request, send) if hasattr(request, "registerProducer") else send


class Pace:
    """A producer, in Twisted's words: told when the buffer is full, empty, or of no use any more.

    The buffer is full at 64 KiB (`bufferSize` of the transport). A reader who takes nothing of it
    for WRITE_TIMEOUT_SECONDS, or up to twice as long if something moved since, is disconnected,
    and may come back with its cursor. The system's own buffer for the connection hides what is
    taken slower than some KiB a second.
    """

    def __init__(self, request: Any, send: Send) -> None:
        self._request = request
        self._send = send
        self._is_registered = False
        self._room = asyncio.Event()
        self._room.set()

    async def __call__(self, message: dict[str, Any]) -> None:
        has_more = message.get("more_body", False)
        if has_more != self._is_registered and message["type"] == "http.response.body":
            self._register(has_more)
        await self._send(message)
        if has_more:
            await self._wait()

    def _register(self, has_more: bool) -> None:
        self._is_registered = has_more
        # Without a channel the reader is gone.
        if getattr(self._request, "channel", None) is None:
            return
        if has_more:
            self._request.registerProducer(self, True)
        else:
            self._request.unregisterProducer()

    async def _wait(self) -> None:
        unsent = -1
        while not self._room.is_set():
            before, unsent = unsent, self._unsent()
            if unsent == before:
                self._request.transport.abortConnection()
            with suppress(TimeoutError):
                async with asyncio.timeout(WRITE_TIMEOUT_SECONDS):
                    await self._room.wait()

    def _unsent(self) -> int:
        """What is in the buffer; always 0 where that cannot be seen, as under TLS."""
        transport = self._request.transport
        return len(getattr(transport, "dataBuffer", b"")) - getattr(transport, "offset", 0)

    # Names and calls are Twisted's IPushProducer.
    def pauseProducing(self) -> None:  # noqa: N802
        self._room.clear()

    def resumeProducing(self) -> None:  # noqa: N802
        self._room.set()

    def stopProducing(self) -> None:  # noqa: N802
        self._room.set()
