"""Sends a response no faster than its reader takes it, and lets go of one who takes nothing.

Daphne writes whatever it is given into the connection's buffer and returns at once, so such a
reader would have all of a stream kept in memory. uvicorn waits, but for ever.
See docs/decisions/0011-slow-readers.md.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

Send = Callable[[dict[str, Any]], Awaitable[None]]

# Without a byte taken, while some are waiting.
WRITE_TIMEOUT_SECONDS = 20


def paced(send: Send) -> Send:
    """`send` that waits for its reader, within bounds; of another server, as it is."""
    # Daphne's is a partial of its own method and the request; uvicorn's a method of its cycle.
    request = next(iter(getattr(send, "args", ())), None)
    if hasattr(request, "registerProducer"):
        return DaphnePace(request, send)
    cycle = getattr(send, "__self__", None)
    if hasattr(cycle, "flow") and hasattr(cycle, "transport"):
        return UvicornPace(cycle, send)
    return send


class Pace(ABC):
    """Waits while the buffer is full, which it is at 64 KiB.

    A reader who takes nothing of it for WRITE_TIMEOUT_SECONDS, or up to twice as long if something
    moved since, is disconnected, and may come back with its cursor. The system's own buffer for
    the connection hides what is taken slower than some KiB a second.
    """

    async def _wait(self) -> None:
        unsent = -1
        while self._is_full():
            before, unsent = unsent, self._unsent()
            if unsent == before:
                self._abort()
            with suppress(TimeoutError):
                async with asyncio.timeout(WRITE_TIMEOUT_SECONDS):
                    await self._room()

    @abstractmethod
    def _is_full(self) -> bool: ...

    @abstractmethod
    def _unsent(self) -> int:
        """How many bytes are in the buffer."""

    @abstractmethod
    async def _room(self) -> None:
        """Return when the buffer is not full any longer, or of no use any more."""

    @abstractmethod
    def _abort(self) -> None: ...


class DaphnePace(Pace):
    """A producer, in Twisted's words: told when the buffer is full, empty, or of no use."""

    def __init__(self, request: Any, send: Send) -> None:
        self._request = request
        self._send = send
        self._is_registered = False
        self._has_room = asyncio.Event()
        self._has_room.set()

    async def __call__(self, message: dict[str, Any]) -> None:
        has_more = message.get("more_body", False)
        if has_more and self._is_registered and self._write(message["body"]):
            return
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

    def _write(self, body: bytes) -> bool:
        """Whether it could be sent at once, as a chunk (RFC 9112, 7.1): nothing waits before it.

        Twisted asks the system for each write when that may be done, then not to be told any more:
        several times the work of writing.
        """
        request = self._request
        transport = request.transport
        is_open = request.channel is not None and getattr(transport, "connected", False)
        # Under TLS there is none of these two; the last chunk, an empty one, is Twisted's.
        waiting = getattr(transport, "_tempDataLen", 1) or len(transport.dataBuffer)
        if not (is_open and request.chunked and body) or waiting:
            return False
        chunk = b"%x\r\n%b\r\n" % (len(body), body)
        sent = transport.writeSomeData(chunk)
        if not isinstance(sent, int):
            return False
        if sent < len(chunk):
            transport.write(chunk[sent:])
        request.sentLength += len(body)
        return True

    def _is_full(self) -> bool:
        return not self._has_room.is_set()

    def _unsent(self) -> int:
        """Always 0 where that cannot be seen, as under TLS."""
        transport = self._request.transport
        return len(getattr(transport, "dataBuffer", b"")) - getattr(transport, "offset", 0)

    async def _room(self) -> None:
        await self._has_room.wait()

    def _abort(self) -> None:
        self._request.transport.abortConnection()

    # Names and calls are Twisted's IPushProducer.
    def pauseProducing(self) -> None:  # noqa: N802
        self._has_room.clear()

    def resumeProducing(self) -> None:  # noqa: N802
        self._has_room.set()

    def stopProducing(self) -> None:  # noqa: N802
        self._has_room.set()


class UvicornPace(Pace):
    """uvicorn's own flow control of a request and its response, with a bound."""

    def __init__(self, cycle: Any, send: Send) -> None:
        self._cycle = cycle
        self._send = send

    async def __call__(self, message: dict[str, Any]) -> None:
        if self._cycle.flow.write_paused:
            await self._wait()
        await self._send(message)

    def _is_full(self) -> bool:
        return bool(self._cycle.flow.write_paused)

    def _unsent(self) -> int:
        return int(self._cycle.transport.get_write_buffer_size())

    async def _room(self) -> None:
        await self._cycle.flow.drain()

    def _abort(self) -> None:
        self._cycle.transport.abort()
