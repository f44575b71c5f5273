"""Any OpenAI-compatible API: streams POST /chat/completions.

https://platform.openai.com/docs/api-reference/chat-streaming
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import httpx

from chat.agent.ports import ProviderEvent
from chat.errors import ProviderError
from chat.providers.chunks import Answer
from chat.providers.failures import from_status, from_transport, not_a_stream
from chat.providers.http import was_stale
from chat.providers.sse import Frame, FrameDecoder
from chat.tools import Tool
from chat.transcript import ChatMessage

MAX_STREAM_BYTES = 32 << 20
MAX_ERROR_BYTES = 64 << 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeouts:
    """Seconds of silence that are borne. Comments and empty chunks are silence too."""

    connect: float = 10
    first_token: float = 90
    idle: float = 60


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
        try:
            async with aclosing(self._events(response)) as events:
                async for event in events:
                    yield event
        finally:
            await response.aclose()

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
            # Silence is watched by meaning, below; the socket alone cannot tell.
            timeout=httpx.Timeout(
                self._timeouts.first_token + self._timeouts.idle, connect=self._timeouts.connect
            ),
        )
        try:
            async with asyncio.timeout(self._timeouts.first_token):
                response = await self._open(request)
                if response.status_code != 200:
                    raise from_status(response, await _read_some(response))
        except TimeoutError as error:
            raise _silent(self._timeouts.first_token) from error
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

    async def _events(self, response: httpx.Response) -> AsyncGenerator[ProviderEvent, None]:
        answer, body = Answer(), Body()
        watch = Watchdog(self._timeouts)
        chunks = response.aiter_raw()
        while not answer.is_done and (chunk := await watch.next(chunks)) is not None:
            for frame in body.feed(chunk):
                for event in answer.read(_payload(frame)):
                    yield event
                    watch.heard()
        for event in body.rest(answer):
            yield event
        for event in answer.finish():
            yield event


class Body:
    """The bytes of a response: a stream, or what some servers send in its place."""

    def __init__(self) -> None:
        self._decoder = FrameDecoder()
        self._size = 0
        self._has_frames = False
        self._start = bytearray()

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that are complete now. Raises ProviderError past MAX_STREAM_BYTES."""
        self._size += len(chunk)
        if self._size > MAX_STREAM_BYTES:
            raise ProviderError("The model's answer is larger than can be accepted.")
        frames = self._decoder.feed(chunk)
        self._has_frames = self._has_frames or bool(frames)
        if not self._has_frames and len(self._start) < MAX_ERROR_BYTES:
            self._start += chunk
        return frames

    def rest(self, answer: Answer) -> list[ProviderEvent]:
        """What the end of the bytes leaves: a last frame, or one JSON document without a stream."""
        frames = self._decoder.flush()
        if frames or self._has_frames:
            return [event for frame in frames for event in answer.read(_payload(frame))]
        try:
            value = json.loads(self._start)
        except ValueError:
            raise not_a_stream(bytes(self._start)) from None
        return answer.read_chunk(value)


class Watchdog:
    """Bounds the model's silence. Time in which we were not reading is not its silence."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self._patience = timeouts.first_token
        self._deadline = self._from_now()

    def heard(self) -> None:
        """Something with a meaning has come."""
        self._patience = self._timeouts.idle
        self._deadline = self._from_now()

    async def next(self, chunks: AsyncIterator[bytes]) -> bytes | None:
        """The next bytes; None at their end."""
        try:
            async with asyncio.timeout_at(self._deadline):
                return await anext(chunks, None)
        except TimeoutError as error:
            raise _silent(self._patience) from error
        except httpx.TransportError as error:
            raise from_transport(error) from error

    def _from_now(self) -> float:
        return asyncio.get_running_loop().time() + self._patience


def _payload(frame: Frame) -> str:
    """An `error` frame reads like an error in the stream, whatever it holds."""
    data = frame.data
    if frame.event != "error":
        return data
    try:
        value = json.loads(data)
    except ValueError:
        value = data
    if isinstance(value, dict) and "error" in value:
        return data
    return json.dumps({"error": value or "no reason given"})


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


def _silent(seconds: float) -> ProviderError:
    return ProviderError(f"The model was silent for {seconds:g} seconds.", code="LLM_TIMEOUT")
