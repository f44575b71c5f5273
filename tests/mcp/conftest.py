"""Hubs and servers for the tests of the MCP client. No Django."""

from collections.abc import AsyncIterator, Iterator

import pytest

from chat.mcp.demo.process import DemoServer, start_demo_server
from chat.mcp.health import ServerHealth
from chat.mcp.hub import Hub
from tests.servers.mcp_server import Era, ScriptedMCPServer


@pytest.fixture(params=["2025-11-25", "2026-07-28"])
def era(request: pytest.FixtureRequest) -> Era:
    """What has to work must work in both eras of the protocol."""
    return request.param


@pytest.fixture
def server(era: Era) -> Iterator[ScriptedMCPServer]:
    with ScriptedMCPServer(era=era) as running:
        yield running


@pytest.fixture
def heard() -> list[ServerHealth]:
    """What the hub said about its servers, in order."""
    return []


@pytest.fixture
async def hub(heard: list[ServerHealth]) -> AsyncIterator[Hub]:
    hub = Hub(on_state=heard.append)
    yield hub
    await hub.aclose()


@pytest.fixture
def demo() -> Iterator[DemoServer]:
    """The demo server, in a process of its own that can be frozen and killed."""
    server = start_demo_server()
    assert server
    assert server.process.stdin
    assert server.process.stdout
    with server.process.stdin, server.process.stdout:
        yield server
        server.process.kill()
        server.process.wait()
