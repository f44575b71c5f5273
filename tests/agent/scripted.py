"""An agent on a server with given responses."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from chat.agent.streaming import StreamingChatAgent
from chat.events import ChatEvent
from chat.mcp.hub import Hub
from chat.providers.http import create_http_client
from chat.providers.openai import OpenAIProvider
from chat.providers.watchdog import Timeouts
from chat.transcript import ChatMessage
from tests.servers.raw_server import RawServer


@asynccontextmanager
async def agent_on(
    server: RawServer, *, context_tokens: int = 0, silence: float = 2
) -> AsyncIterator[StreamingChatAgent]:
    """Without tools. `silence`: how many seconds the model may be silent."""
    hub = Hub()
    async with create_http_client() as http:
        provider = OpenAIProvider(
            base_url=server.base_url,
            api_key="",
            model_name="m",
            http_client=http,
            timeouts=Timeouts(connect=2, first_token=silence, idle=silence, total=20),
        )
        yield StreamingChatAgent(provider, hub.open_toolbox(), context_tokens=context_tokens)
        await hub.aclose()


async def answers(
    responses: Sequence[bytes],
    *,
    history: Sequence[ChatMessage] = (),
    context_tokens: int = 0,
    silence: float = 2,
) -> tuple[list[ChatEvent], RawServer]:
    """The events of one answer, and the server that saw the requests."""
    with RawServer(responses) as server:
        async with agent_on(server, context_tokens=context_tokens, silence=silence) as agent:
            events = [event async for event in agent.stream_with_tools("hi", history)]
    return events, server
