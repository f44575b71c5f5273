"""A network that fails on demand: a TCP proxy that delays, falls silent, cuts and resets."""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

CHUNK_BYTES = 1 << 16
TURNS_PER_SECOND = 50
SECONDS = 10
AT_ONCE = struct.pack("ii", 1, 0)

Direction = Literal["to server", "to client"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """What is wrong with a connection; nothing, as it stands.

    `delay_seconds`: everything comes so much later. `bytes_per_second`: no more than these, each
    way; 0 for as many as there are. `silent`: ways on which nothing is passed on, until that
    changes; the connection stays open. `ends_after`: bytes of the server's, and then the
    connection ends; `is_reset`: rudely.
    """

    delay_seconds: float = 0
    bytes_per_second: int = 0
    silent: frozenset[Direction] = frozenset()
    ends_after: int | None = None
    is_reset: bool = False


NONE = Fault()
HALF_OPEN = Fault(silent=frozenset({"to server", "to client"}))
MUTE = Fault(silent=frozenset({"to client"}))
RESET = Fault(ends_after=0, is_reset=True)


class Proxy:
    """Stands before `port` of this machine, at a `port` of its own, with a thread of its own.

    `connections` is how many have come.
    """

    def __init__(self, port: int) -> None:
        self.port = 0
        self.connections = 0
        self._server_port = port
        self._fault = NONE
        self._next: list[Fault] = []
        self._changed = asyncio.Event()
        self._lines: set[Line] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SECONDS)
        self._loop.close()

    def suffer(self, fault: Fault) -> None:
        """From now on, on all connections, open and new; NONE for a good network."""
        self._run(self._set(fault))

    def suffer_next(self, *faults: Fault) -> None:
        """One new connection each, for the whole of its life."""
        self._next.extend(faults)

    def cut(self, *, is_reset: bool = False) -> None:
        """End all connections that are open; new ones are welcome."""
        self._run(self._end_all(is_reset))

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS)

    async def _close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _set(self, fault: Fault) -> None:
        self._fault = fault
        self._changed.set()
        self._changed = asyncio.Event()

    async def _end_all(self, is_reset: bool) -> None:
        for line in list(self._lines):
            line.end(is_reset=is_reset)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self.connections += 1
        own = self._next.pop(0) if self._next else None
        line = Line(self, own, writer)
        self._lines.add(line)
        try:
            await line.hold(reader, self._server_port)
        except (OSError, asyncio.CancelledError):
            line.end(is_reset=True)
        finally:
            self._lines.discard(line)
            self._tasks.discard(task)

    def fault_of(self, own: Fault | None) -> Fault:
        """What a connection suffers just now."""
        return own or self._fault

    async def change(self) -> None:
        """Return when all connections suffer something else than before."""
        await self._changed.wait()


class Line:
    """One connection through the proxy, two sockets."""

    def __init__(self, proxy: Proxy, own: Fault | None, client: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._own = own
        self._writers = [client]

    async def hold(self, client: asyncio.StreamReader, server_port: int) -> None:
        """Pass on what comes, both ways, until one side ends. Raises OSError."""
        server, to_server = await asyncio.open_connection("127.0.0.1", server_port)
        self._writers.append(to_server)
        ways = [
            asyncio.ensure_future(self._pass_on(client, to_server, "to server")),
            asyncio.ensure_future(self._pass_on(server, self._writers[0], "to client")),
        ]
        try:
            await asyncio.gather(*ways)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self.end()

    def end(self, *, is_reset: bool = False) -> None:
        """Close both sides; where `is_reset`, what is on its way is thrown away."""
        for writer in self._writers:
            if is_reset and (door := writer.get_extra_info("socket")) and door.fileno() >= 0:
                door.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
                writer.transport.abort()
            writer.close()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Direction
    ) -> None:
        passed = 0
        while data := await reader.read(CHUNK_BYTES):
            fault = await self._heard(way)
            if way == "to client" and fault.ends_after is not None:
                data = data[: fault.ends_after - passed]
            await self._write(writer, data, fault)
            passed += len(data)
            if way == "to client" and passed == fault.ends_after:
                self.end(is_reset=fault.is_reset)
                return
        if not writer.is_closing():
            writer.write_eof()

    async def _heard(self, way: Direction) -> Fault:
        """The fault, once it lets something pass."""
        while way in (fault := self._proxy.fault_of(self._own)).silent:
            await self._proxy.change()
        await asyncio.sleep(fault.delay_seconds)
        return fault

    async def _write(self, writer: asyncio.StreamWriter, data: bytes, fault: Fault) -> None:
        rate = fault.bytes_per_second
        size = max(1, rate // TURNS_PER_SECOND) if rate else CHUNK_BYTES
        for at in range(0, len(data), size):
            writer.write(data[at : at + size])
            await writer.drain()
            await asyncio.sleep(size / rate if rate else 0)
