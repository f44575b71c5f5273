"""Between the MCP SDK and the network: one failed request costs that request alone.

Without this, a connection error of one POST leaves the SDK's own task group and ends every
other call of the same client (mcp 2.3.0).
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import httpx2
from mcp.types import CONNECTION_CLOSED, JSONRPCResponse

from chat.mcp.failures import TOO_LARGE, reason_of, reason_of_status
from chat.mcp.listing import take_out_broken

MAX_BODY_BYTES = 8 << 20
COURTESY_SECONDS = 3
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class IsolatingTransport(httpx2.AsyncBaseTransport):
    """Turns the failure of a POST into a JSON-RPC error for its caller, once `is_armed`.

    `data.sent` of that error says whether the server may have seen the request.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner
        self.is_armed = False

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if _is_courtesy(request):
            # The SDK sends these one after the other, and before it lets go of a connection:
            # a slow one would hold up everything else.
            limits = dict.fromkeys(("connect", "read", "write", "pool"), COURTESY_SECONDS)
            request.extensions = {**request.extensions, "timeout": limits}
        if request.method != "POST":
            return await self._inner.handle_async_request(request)
        try:
            return await _bounded(await self._inner.handle_async_request(request))
        except httpx2.TransportError as error:
            if not self.is_armed:
                raise
            is_sent = not isinstance(error, _NOT_SENT)
            return _failure(reason_of(error), is_sent=is_sent)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _is_courtesy(request: httpx2.Request) -> bool:
    """A farewell, or a notification: nobody waits for its answer."""
    if request.method != "POST":
        return request.method == "DELETE"
    content = request.content
    return b'"method":"notifications/' in content and b'"id":' not in content[:200]


async def _bounded(response: httpx2.Response) -> httpx2.Response:
    """The response, if it is one of MCP's. A JSON body has no limit in the SDK; an event has."""
    status = response.status_code
    is_json = response.headers.get("content-type", "").startswith("application/json")
    if status in {401, 403} or (status >= 500 and not is_json):
        await response.aclose()
        # A server that broke, or the proxy before it: nobody knows how far the call came.
        return _failure(reason_of_status(status), is_sent=status >= 500)
    if not is_json:
        return response
    body = bytearray()
    try:
        async for chunk in response.stream:  # type: ignore[union-attr]
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                return _failure(TOO_LARGE, is_sent=True)
    finally:
        await response.aclose()
    return httpx2.Response(
        response.status_code,
        headers=response.headers,
        content=bytes(body),
        extensions=response.extensions,
    )


def _failure(message: str, *, is_sent: bool) -> httpx2.Response:
    error = {"code": CONNECTION_CLOSED, "message": message, "data": {"sent": is_sent}}
    return httpx2.Response(502, json={"jsonrpc": "2.0", "id": None, "error": error})


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
