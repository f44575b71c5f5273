"""The Python face of the loop, against a real model server and a real MCP server, no Django."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from chat.agent.streaming import StreamingChatAgent
from chat.errors import ChatError
from chat.events import ChatEvent, Kind
from chat.mcp.config import ServerConfig
from chat.runs.assembly import AgentConfig, create_agent
from tests.servers.mcp_server import ScriptedMCPServer
from tests.servers.model_server import ScriptedModelServer


@pytest.fixture
async def agent(
    model_server: ScriptedModelServer, mcp_server: ScriptedMCPServer
) -> AsyncIterator[StreamingChatAgent]:
    config = AgentConfig(
        provider="openai",
        model_name="scripted",
        base_url=model_server.base_url,
        servers=[
            ServerConfig(
                slug="tools",
                name="Tools",
                url=mcp_server.url,
                may_be_private=True,
                call_timeout_seconds=0.5,
            )
        ],
        max_iterations=3,
    )
    async with await create_agent(config) as made:
        yield made


async def events_of(agent: StreamingChatAgent, question: str) -> list[ChatEvent]:
    return [event async for event in agent.stream_with_tools(question)]


async def test_events_are_numbered_and_read_as_frames(agent: StreamingChatAgent) -> None:
    events = await events_of(agent, '[[call echo {"text": "hi"}]][[then]][[text Said it.]]')

    assert [event.number for event in events] == list(range(1, len(events) + 1))
    kinds = list(dict.fromkeys(event.kind for event in events))
    assert kinds == ["tool_calls", "tool_executing", "tool_result", "content", "done"]
    assert events[1].to_sse().startswith('id: 2\nevent: tool_executing\ndata: {"tool": "echo"')
    assert events[-1].data["content"] == "Said it."


async def test_chat_gives_the_text_or_raises(agent: StreamingChatAgent) -> None:
    assert (await agent.chat("[[text Just text.]]")).strip() == "Just text."
    with pytest.raises(ChatError) as failed:
        await agent.chat("[[status 401]]")
    assert failed.value.code == "LLM_AUTH"


async def test_a_slow_tool_is_a_timeout_and_the_model_goes_on(agent: StreamingChatAgent) -> None:
    events = await events_of(agent, '[[call slow {"seconds": 30}]][[then]][[text Too slow.]]')

    result = next(event for event in events if event.kind == Kind.TOOL_RESULT)
    assert result.data["outcome"] == "timeout"
    assert events[-1].data["content"] == "Too slow."


async def test_endless_tool_calls_end(agent: StreamingChatAgent) -> None:
    events = await events_of(agent, '[[loop echo {"text": "again"}]]')

    assert sum(event.kind == Kind.TOOL_CALLS for event in events) == 3
    assert events[-1].data["code"] == "MAX_ITERATIONS"


async def test_leaving_the_generator_stops_the_model(
    agent: StreamingChatAgent, model_server: ScriptedModelServer
) -> None:
    aborted = len(model_server.aborted)
    async with aclosing(agent.stream_with_tools("[[tokens 5000 delay 5]]")) as events:
        await anext(events)

    began = time.monotonic()
    while len(model_server.aborted) == aborted:
        assert time.monotonic() - began < 5
        await asyncio.sleep(0.01)
