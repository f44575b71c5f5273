"""Any OpenAI-compatible API: streams POST /chat/completions.

https://platform.openai.com/docs/api-reference/chat-streaming
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import httpx

from chat.agent.ports import ProviderEvent
from chat.errors import ProviderError
from chat.providers.body import Body
from chat.providers.chunks import Answer
from chat.providers.failures import from_status, from_transport
from chat.providers.http import was_stale
from chat.providers.watchdog import Timeouts, Watchdog, silent
from chat.tools import Tool
from chat.transcript import ChatMessage

MAX_ERROR_BYTES = 64 << 10


class OpenAIProvider:
    """Streams from `base_url`/chat/completions; the HTTP client belongs to the caller."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        model_name: str,
        http_client: httpx.AsyncClient,
        timeouts: Timeouts | None = None,
    ) -> None:
        self.model_name = model_name
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        self._http = http_client
        self._timeouts = timeouts or Timeouts()
        # A compressed stream would be held back until a block is full.
        self._headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"

    async def chat_stream(
        self, transcript: Sequence[ChatMessage], tools: Sequence[Tool]
    ) -> AsyncGenerator[ProviderEvent, None]:
        """See ports.Provider. The connection is closed as soon as the generator is."""
        response = await self._send(self._body(transcript, tools))
        answer = Answer()
        body, watch, chunks = Body(answer), Watchdog(self._timeouts), response.aiter_raw()
        try:
            while not answer.is_done and (chunk := await watch.next(chunks)) is not None:
                for event in body.feed(chunk):
                    yield event
                    watch.heard()
        finally:
            watch.close()
            await response.aclose()
        for event in (*body.finish(), *answer.finish()):
            yield event

    def _body(self, transcript: Sequence[ChatMessage], tools: Sequence[Tool]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model_name,
            "messages": list(transcript),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if tools:
            body["tools"] = [tool.to_tool_definition() for tool in tools]
        return body

    async def _send(self, body: dict[str, Any]) -> httpx.Response:
        request = self._http.build_request(
            "POST",
            self._url,
            content=json.dumps(body).encode(),
            headers=self._headers | {"Content-Type": "application/json"},
            # Silence is watched by meaning; the socket alone cannot tell.
            timeout=httpx.Timeout(None, connect=self._timeouts.connect),
        )
        try:
            async with asyncio.timeout(self._timeouts.first_token):
                response = await self._open(request)
                if response.status_code != 200:
                    raise from_status(response, await _read_some(response))
        except TimeoutError as error:
            raise silent(self._timeouts.first_token) from error
        except httpx.TransportError as error:
            raise from_transport(error) from error
        except httpx.InvalidURL as error:
            raise ProviderError("The address of the model's API is not valid.") from error
        return response

    async def _open(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._http.send(request, stream=True)
        except httpx.TransportError as error:
            if not was_stale(error):
                raise
            return await self._http.send(request, stream=True)


async def _read_some(response: httpx.Response) -> bytes:
    body = bytearray()
    try:
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > MAX_ERROR_BYTES:
                break
    finally:
        await response.aclose()
    return bytes(body)
