"""Between the MCP SDK and the network: one failed request costs that request alone.

Without this, a connection error of one POST leaves the SDK's own task group and ends every
other call of the same client (mcp 2.3.0).
"""

import asyncio
import json
import re

import httpx2

from chat.mcp.failures import STOPPED, TOO_LARGE, failed, reason_of, reason_of_status
from chat.mcp.http.leaving import Leavable, Post

MAX_BODY_BYTES = 8 << 20
COURTESY_SECONDS = 3
# A server that ends its stream of news may have us come back at once, again and again.
GET_PAUSE_SECONDS = 0.2
SESSION_IS_GONE = "it does not know our session any more"
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
# As the SDK writes it: before the method and what else the server or a model has chosen.
_ID = re.compile(rb'\{"jsonrpc":"2\.0","id":(\d+|"[^"]*"),')
_CANCELLED = b'"method":"notifications/cancelled"'


class IsolatingTransport(httpx2.AsyncBaseTransport):
    """Turns the failure of a POST into a JSON-RPC error for its caller, once `is_armed`.

    A POST whose call is cancelled is left: until 2026-07-28 the SDK goes on to wait for its
    answer, and a server that gives none would keep its connection for ever.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner
        self._posts: dict[bytes, Post] = {}
        self._next_get = 0.0
        self.is_armed = False

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if _is_courtesy(request):
            # The SDK sends these one after the other, and before it lets go of a connection:
            # a slow one would hold up everything else.
            limits = dict.fromkeys(("connect", "read", "write", "pool"), COURTESY_SECONDS)
            request.extensions = {**request.extensions, "timeout": limits}
        match request.method:
            case "GET":
                await self._pace()
            case "POST":
                return await self._post(request)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _pace(self) -> None:
        now = asyncio.get_running_loop().time()
        at = max(now, self._next_get)
        self._next_get = at + GET_PAUSE_SECONDS
        await asyncio.sleep(at - now)

    async def _post(self, request: httpx2.Request) -> httpx2.Response:
        found = _ID.match(request.content)
        if found is None:
            try:
                return await self._answer(request)
            finally:
                await self._leave_cancelled(request)
        name = found[1]
        post = self._posts[name] = Post()
        try:
            async with post:
                response = await self._answer(request)
        except TimeoutError:
            response = _failure(STOPPED, is_sent=True)
        except BaseException:
            self._posts.pop(name, None)
            raise
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            post.stream = Leavable(response.stream, lambda: self._posts.pop(name, None))  # type: ignore[arg-type]
            return _with_stream(response, post.stream)
        self._posts.pop(name, None)
        return response

    async def _leave_cancelled(self, request: httpx2.Request) -> None:
        if _CANCELLED not in request.content[:200]:
            return
        cancelled = json.dumps(json.loads(request.content)["params"]["requestId"]).encode()
        if post := self._posts.pop(cancelled, None):
            await post.leave()

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        try:
            response = await self._inner.handle_async_request(request)
            if response.status_code == 404 and "mcp-session-id" in request.headers:
                # It has not looked at the call; the specification has us begin anew.
                await response.aclose()
                return _failure(SESSION_IS_GONE, is_sent=False)
            return await _bounded(response)
        except httpx2.RequestError as error:
            if not self.is_armed:
                raise
            is_sent = not isinstance(error, _NOT_SENT)
            return _failure(reason_of(error), is_sent=is_sent)


def _is_courtesy(request: httpx2.Request) -> bool:
    """A farewell, or a notification: nobody waits for its answer."""
    if request.method != "POST":
        return request.method == "DELETE"
    return b'"method":"notifications/' in request.content and not _ID.match(request.content)


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


def _with_stream(response: httpx2.Response, stream: Leavable) -> httpx2.Response:
    return httpx2.Response(
        response.status_code,
        headers=response.headers,
        stream=stream,
        extensions=response.extensions,
    )


def _failure(message: str, *, is_sent: bool) -> httpx2.Response:
    error = failed(message, is_sent=is_sent).model_dump(mode="json")
    return httpx2.Response(502, json={"jsonrpc": "2.0", "id": None, "error": error})
