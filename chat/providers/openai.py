"""Any OpenAI-compatible API: streams POST /chat/completions.

https://platform.openai.com/docs/api-reference/chat-streaming
"""

import asyncio
import hashlib
import itertools
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from functools import cached_property

import httpx

from chat.agent.ports import ProviderEvent, ProviderNotice, ToolCallsAsked
from chat.errors import ProviderError
from chat.providers.body import Body
from chat.providers.chunks import Answer
from chat.providers.failures import from_status, from_transport, read_refusal
from chat.providers.http import Read, reader, was_stale
from chat.providers.request import Definitions, Habits, body_of
from chat.providers.watchdog import Timeouts, Watchdog, silent
from chat.text import say
from chat.tools import Tool
from chat.transcript import ChatMessage

MAX_ERROR_BYTES = 64 << 10
NO_TOOLS = say("This model cannot use tools; it answers without them.")


class OpenAIProvider:
    """Streams from `base_url`/chat/completions; the HTTP client belongs to the caller.

    Keep it: it remembers what its endpoint was found to want. `on_bytes` sees each response's
    bytes as they come, and b"" before the first ones.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        model_name: str,
        http_client: httpx.AsyncBaseTransport,
        timeouts: Timeouts | None = None,
        on_bytes: Callable[[bytes], None] | None = None,
    ) -> None:
        self.model_name = model_name
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        self._endpoint = hashlib.sha256(f"{self._url} {model_name}".encode()).hexdigest()[:12]
        self._habits = Habits()
        self._definitions = Definitions()
        self._http = http_client
        self._timeouts = timeouts or Timeouts()
        self._on_bytes = on_bytes
        self._api_key = api_key
        self._headers = httpx.Headers(
            {
                "Accept": "text/event-stream",
                # A compressed stream would be held back until a block is full.
                "Accept-Encoding": "identity",
                "Content-Type": "application/json",
                "User-Agent": "Ferryline",
            }
        )
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"

    async def chat_stream(
        self, transcript: Sequence[ChatMessage], tools: Sequence[Tool]
    ) -> AsyncGenerator[ProviderEvent, None]:
        """See ports.Provider. The connection is closed as soon as the generator is."""
        watch = Watchdog(self._timeouts)
        try:
            response = await self._ask(transcript, tools)
            if tools and "tools" in self._habits.without:
                yield ProviderNotice(text=NO_TOOLS, code="NO_TOOLS")
            try:
                answer = Answer(known_tools=[tool.name for tool in tools])
                body, read = Body(answer), self._reader(response)
                while not answer.is_done and (chunk := await watch.over(read)):
                    heard = answer.heard
                    for event in body.feed(chunk):
                        yield event
                    if answer.heard != heard:
                        watch.heard()
                    if answer.has_finished:
                        watch.ending()
            finally:
                await response.aclose()
            for event in itertools.chain(body.finish(), answer.finish()):
                yield self._marked(event)
        except ProviderError as error:
            raise self._without_key(error) from error.__cause__
        finally:
            watch.close()

    def _reader(self, response: httpx.Response) -> Read:
        read, on_bytes = reader(response), self._on_bytes
        if on_bytes is None:
            return read

        async def read_aloud() -> bytes:
            if chunk := await read():
                on_bytes(chunk)
            return chunk

        on_bytes(b"")
        return read_aloud

    async def _ask(
        self, transcript: Sequence[ChatMessage], tools: Sequence[Tool]
    ) -> httpx.Response:
        """The opened response; where the API refuses a part of the request, asked without it."""
        while True:
            definitions = self._definitions.encoded(tools) if tools else ""
            response = await self._send(
                body_of(self.model_name, transcript, definitions, self._habits, self._endpoint)
            )
            if response.status_code == 200:
                return response
            refused = await self._read_some(response)
            if not self._habits.learn(read_refusal(response.status_code, refused)):
                raise from_status(response, refused)

    async def _send(self, body: bytes) -> httpx.Response:
        # Silence is watched by meaning; the socket alone cannot tell.
        bounds = {"timeout": {"connect": self._timeouts.connect}}
        try:
            request = httpx.Request(
                "POST", self._address, content=body, headers=self._headers, extensions=bounds
            )
            async with asyncio.timeout(self._timeouts.first_token):
                return await self._open(request)
        except TimeoutError as error:
            raise silent(self._timeouts.first_token) from error
        except httpx.TransportError as error:
            raise from_transport(error) from error
        except httpx.InvalidURL as error:
            raise ProviderError(say("The address of the model's API is not valid.")) from error

    @cached_property
    def _address(self) -> httpx.URL:
        """Taken apart once. Raises httpx.InvalidURL."""
        return httpx.URL(self._url)

    async def _open(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._http.handle_async_request(request)
        except httpx.TransportError as error:
            if not was_stale(error):
                raise
            return await self._http.handle_async_request(request)

    async def _read_some(self, response: httpx.Response) -> bytes:
        """The beginning of what a refusal says; a server that does not end it is not waited for."""
        body = bytearray()
        try:
            async with asyncio.timeout(self._timeouts.connect):
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > MAX_ERROR_BYTES:
                        break
        except (TimeoutError, httpx.TransportError):
            pass
        finally:
            await response.aclose()
        return bytes(body)

    def _marked(self, event: ProviderEvent) -> ProviderEvent:
        """Calls whose extra fields say to whom they may be sent back."""
        if not isinstance(event, ToolCallsAsked):
            return event
        calls = [
            replace(call, extra={"endpoint": self._endpoint, "fields": call.extra})
            if call.extra
            else call
            for call in event.calls
        ]
        return ToolCallsAsked(calls=calls)

    def _without_key(self, error: ProviderError) -> ProviderError:
        """Some APIs repeat the key that they refuse."""
        if self._api_key and self._api_key in str(error):
            error.args = (str(error).replace(self._api_key, "…"),)
        return error
