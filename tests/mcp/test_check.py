"""One look at a server: bounded, whatever the server does, and true in what it says."""

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest

from chat.mcp import check as checks
from chat.mcp.check import check
from chat.tools import ToolCall
from tests.mcp.steps import config
from tests.servers.bare_mcp_server import BareMCPServer
from tests.servers.mcp_server import ScriptedMCPServer

OK = {"name": "ok", "inputSchema": {"type": "object"}}


@pytest.fixture
def bare() -> Iterator[BareMCPServer]:
    with BareMCPServer([OK]) as server:
        yield server


async def test_a_silent_server_is_given_up_within_its_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/mcp"
        began = time.monotonic()

        found = await check(config(url, connect_timeout_seconds=0.5))

    assert time.monotonic() - began < 0.5 + checks.CLOSE_SECONDS
    assert found.state == "down"
    assert found.failure == "Demo tools cannot be used: it did not answer in time."


async def test_a_call_that_does_not_end_is_given_up_and_cancelled(
    server: ScriptedMCPServer,
) -> None:
    began = time.monotonic()

    found = await check(
        config(server.url, call_timeout_seconds=0.5), ToolCall(id="check", name="hang")
    )

    assert time.monotonic() - began < 0.5 + checks.CLOSE_SECONDS
    assert found.state == "ready"
    assert found.failure == "hang did not answer within 0.5 seconds."
    assert found.result is None


async def test_a_call_whose_connection_breaks_is_not_made_twice(bare: BareMCPServer) -> None:
    bare.definitions = [OK | {"name": "cut"}]

    found = await check(config(bare.url), ToolCall(id="check", name="cut"))

    assert bare.calls == ["cut"]
    assert found.failure == "The connection to Demo tools broke; the outcome is unknown."


async def test_refused_credentials_are_a_state_of_their_own(bare: BareMCPServer) -> None:
    bare.status = 401

    found = await check(config(bare.url))

    assert found.state == "unauthorised"
    assert found.failure == "Demo tools cannot be used: it refused our credentials (401)."


async def test_a_look_leaves_no_task_behind(server: ScriptedMCPServer) -> None:
    before = asyncio.all_tasks()

    found = await check(config(server.url), ToolCall(id="check", name="grow"))

    assert found.is_good
    assert asyncio.all_tasks() == before
