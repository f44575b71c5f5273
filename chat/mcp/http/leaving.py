"""A POST that may be left: its connection is closed, and the SDK sees it answered."""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx2
from mcp.types import JSONRPCError

from chat.mcp.failures import STOPPED, failed


class Leavable(httpx2.AsyncByteStream):
    """An event stream that ends when it is left, with an answer: the SDK (mcp 2.3.0) would come
    back for one that just ended. `on_close`: it is over, however it ended.
    """

    def __init__(self, inner: httpx2.AsyncByteStream, on_close: Callable[[], object]) -> None:
        self._inner = inner
        self._on_close = on_close
        self._is_left = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._inner:
                yield chunk
        except httpx2.RequestError:
            if not self._is_left:
                raise
        if self._is_left:
            yield _LAST

    async def leave(self) -> None:
        self._is_left = True
        await self._inner.aclose()

    async def aclose(self) -> None:
        self._on_close()
        await self._inner.aclose()


class Post:
    """Entered while there is no answer yet; raises TimeoutError where it is left then."""

    def __init__(self) -> None:
        self.stream: Leavable | None = None
        self._waiting = asyncio.timeout(None)

    async def __aenter__(self) -> None:
        await self._waiting.__aenter__()

    async def __aexit__(self, *error: object) -> None:
        await self._waiting.__aexit__(*error)  # type: ignore[arg-type]

    async def leave(self) -> None:
        """Close its connection."""
        if self.stream:
            await self.stream.leave()
        else:
            self._waiting.reschedule(asyncio.get_running_loop().time())


# Its id is that of the request, whatever it says here.
_ERROR = JSONRPCError(jsonrpc="2.0", id=0, error=failed(STOPPED, is_sent=True))
_LAST = f"\n\nevent: message\ndata: {_ERROR.model_dump_json()}\n\n".encode()
