"""Requests with an access token that somebody else keeps and renews."""

import httpx2

from chat.mcp.config import Tokens

UNAUTHORISED = 401


class BearerTransport(httpx2.AsyncBaseTransport):
    """Adds the access token; sends a request once more where the server wants a newer one."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, tokens: Tokens) -> None:
        self._inner = inner
        self._tokens = tokens
        self._token = ""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        token = self._token = self._token or await self._tokens.current()
        response = await self._send(request, token)
        if response.status_code != UNAUTHORISED:
            return response
        await response.aclose()
        self._token = await self._tokens.renewed(token)
        return await self._send(request, self._token)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _send(self, request: httpx2.Request, token: str) -> httpx2.Response:
        request.headers["Authorization"] = f"Bearer {token}"
        return await self._inner.handle_async_request(request)
