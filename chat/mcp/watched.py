"""What comes in from a server, seen before the SDK looks at it."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from mcp.types import JSONRPCResponse

from chat.mcp.vetting import take_out_broken


class _WatchedRead:
    """A read stream that reports its end before anybody who waits for it learns of it."""

    def __init__(
        self, inner: Any, on_end: Callable[[], None], on_broken: Callable[[Sequence[str]], None]
    ) -> None:
        self._inner = inner
        self._on_end = on_end
        self._on_broken = on_broken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def __aenter__(self) -> "_WatchedRead":
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> Any:
        return await self._inner.__aexit__(*error)

    def __aiter__(self) -> "_WatchedRead":
        return self

    async def __anext__(self) -> Any:
        try:
            item = await self._inner.__anext__()
        except BaseException:
            self._on_end()
            raise
        message = getattr(item, "message", None)
        if isinstance(message, JSONRPCResponse) and (broken := take_out_broken(message.result)):
            self._on_broken(broken)
        return item


@contextlib.asynccontextmanager
async def watched(
    transport: Any, *, on_end: Callable[[], None], on_broken: Callable[[Sequence[str]], None]
) -> AsyncIterator[tuple[Any, Any]]:
    """The SDK's transport; `on_end` is called the moment its read stream ends, `on_broken` with
    the names of tools that were taken out of a list.
    """
    async with transport as (read, write):
        yield _WatchedRead(read, on_end, on_broken), write
