"""A server that answers with given bytes, one response after the other; the last one repeats."""

import asyncio
import json
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

HANG = b""


def response(body: str | bytes = "", *, status: str = "200 OK", headers: str = "") -> bytes:
    """A whole HTTP response; without a Content-Type among `headers` it is JSON."""
    data = body.encode() if isinstance(body, str) else body
    kind = "" if "content-type" in headers.lower() else "Content-Type: application/json\r\n"
    head = f"HTTP/1.1 {status}\r\n{kind}{headers}Content-Length: {len(data)}\r\n\r\n"
    return head.encode() + data


def refusal(status: int, headers: str = "", **error: Any) -> bytes:
    return response(json.dumps({"error": error}), status=f"{status} No", headers=headers)


def stream(*chunks: dict[str, Any], end: str = "data: [DONE]\n\n") -> bytes:
    """An event stream of these chunks."""
    frames = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
    return response(frames + end, headers="Content-Type: text/event-stream\r\n")


def delta(finish: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


ANSWER = stream(delta(content="Good."), delta("stop"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A request as it came."""

    line: str
    headers: dict[str, str]
    body: dict[str, Any]


class RawServer:
    """Where HANG is the response, nothing is ever sent. `closes_after` requests it hangs up."""

    def __init__(
        self,
        responses: Sequence[bytes],
        *,
        closes_after: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._tls = tls
        self.requests: list[Seen] = []
        self.connections = 0
        self._responses = responses
        self._closes_after = closes_after
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        starting = asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 24, ssl=self._tls)
        self._server = self._run(starting)
        self.port = self._server.sockets[0].getsockname()[1]
        self.base_url = f"http://127.0.0.1:{self.port}/v1"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self.connections += 1
        try:
            count = 0
            while not self._closes_after or count < self._closes_after:
                await self._one(reader, writer)
                count += 1
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(1)
        if first == b"\x16":  # A TLS handshake; like real servers, we do not wait for more of it.
            writer.write(response("Bad", status="400 Bad Request"))
            raise ConnectionError
        lines = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines[1:])
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        answer = self._responses[min(len(self.requests), len(self._responses) - 1)]
        self.requests.append(Seen(line=lines[0], headers=headers, body=json.loads(body or b"{}")))
        if answer == HANG:
            await reader.read()
            return
        writer.write(answer)
        await writer.drain()
