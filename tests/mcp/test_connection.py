"""Connections that break, and how they come back."""

import asyncio
import os
import signal
import time

import pytest

from chat.errors import ServerUnavailable, ToolLost, ToolTimeout
from chat.mcp.demo.process import DemoServer
from chat.mcp.health import ServerHealth
from chat.mcp.hub import Hub
from tests.mcp.steps import call, config, eventually, toolbox_of
from tests.servers.bare_mcp_server import BareMCPServer
from tests.servers.mcp_server import ScriptedMCPServer


async def test_a_server_that_restarted_while_idle_is_not_noticed_by_the_caller(
    hub: Hub, server: ScriptedMCPServer
) -> None:
    toolbox = await toolbox_of(hub, config(server.url))
    await asyncio.to_thread(server.restart)

    result = await call(toolbox, "echo", text="welcome back")

    assert result.text == "welcome back"
    # Retried only because it was provably not executed the first time.
    assert server.calls == [("echo", {"text": "welcome back"})]


async def test_twenty_callers_at_once_after_a_restart_all_get_their_answer(
    hub: Hub, server: ScriptedMCPServer
) -> None:
    toolbox = await toolbox_of(hub, config(server.url))
    await asyncio.to_thread(server.restart)

    results = await asyncio.gather(*(call(toolbox, "echo", text=str(n)) for n in range(20)))

    assert [result.text for result in results] == [str(n) for n in range(20)]
    assert len(server.calls) == 20


async def test_a_server_that_comes_back_is_used_again(
    hub: Hub, server: ScriptedMCPServer, heard: list[ServerHealth]
) -> None:
    toolbox = await toolbox_of(hub, config(server.url, wait_seconds=0.5))
    await asyncio.to_thread(server.stop)
    # Lost, not unavailable, where the request still got into the closing connection.
    with pytest.raises((ServerUnavailable, ToolLost)):
        await call(toolbox, "echo", text="gone")
    await eventually(lambda: heard[-1].state == "down", "the hub says that it is down")
    assert heard[-1].reason == "the connection was refused"

    await asyncio.to_thread(server.start)

    await eventually(lambda: heard[-1].state == "ready", "it is found again without a call")
    assert (await call(toolbox, "echo", text="back")).text == "back"


async def test_a_server_known_to_be_down_is_not_waited_for_again(
    hub: Hub, server: ScriptedMCPServer, heard: list[ServerHealth]
) -> None:
    await asyncio.to_thread(server.stop)
    hub.configure([config(server.url)])
    toolbox = hub.open_toolbox()
    began = time.monotonic()

    discoveries = [await toolbox.discover() for _ in range(2)]

    assert all(discovery.failures for discovery in discoveries)
    assert time.monotonic() - began < 5


async def test_the_heartbeat_notices_a_server_that_died_in_silence(
    hub: Hub, server: ScriptedMCPServer, heard: list[ServerHealth]
) -> None:
    await toolbox_of(hub, config(server.url, heartbeat_seconds=0.2))

    await asyncio.to_thread(server.stop)

    await eventually(lambda: heard[-1].state == "down", "the hub says that it is down")


async def test_a_frozen_server_cannot_stretch_a_deadline(hub: Hub, demo: DemoServer) -> None:
    toolbox = await toolbox_of(hub, config(demo.url, call_timeout_seconds=0.5))
    os.kill(demo.process.pid, signal.SIGSTOP)
    began = time.monotonic()

    outcomes = await asyncio.gather(
        *(call(toolbox, "calculate", expression="1+1") for _ in range(5)), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes] == [ToolTimeout] * 5
    assert time.monotonic() - began < 2
    os.kill(demo.process.pid, signal.SIGCONT)
    assert (await call(toolbox, "calculate", expression="1+1")).text == "1+1 = 2"


async def test_a_frozen_server_of_2025_cannot_stretch_a_deadline_either(hub: Hub) -> None:
    """Its cancellation is a request of its own, which the SDK would wait for."""
    with BareMCPServer([{"name": "ok", "inputSchema": {"type": "object"}}]) as server:
        toolbox = await toolbox_of(hub, config(server.url, call_timeout_seconds=0.5))
        server.is_frozen = True
        began = time.monotonic()

        outcomes = await asyncio.gather(
            *(call(toolbox, "ok") for _ in range(5)), return_exceptions=True
        )

        assert [type(outcome) for outcome in outcomes] == [ToolTimeout] * 5
        assert time.monotonic() - began < 2


async def test_a_call_that_answers_while_its_connection_is_given_up_is_not_lost(hub: Hub) -> None:
    with BareMCPServer([{"name": "gate", "inputSchema": {"type": "object"}}]) as server:
        toolbox = await toolbox_of(hub, config(server.url, heartbeat_seconds=0.1))
        calling = asyncio.create_task(call(toolbox, "gate"))
        await eventually(lambda: "gate" in server.calls, "the call runs")
        server.status, asked = 502, len(server.headers)
        await eventually(lambda: len(server.headers) > asked, "the heartbeat is refused")

        server.opened.set()

        assert (await calling).text == "fine"


async def test_closing_with_a_call_under_way_ends_it_and_leaves_no_task(
    hub: Hub, server: ScriptedMCPServer
) -> None:
    before = asyncio.all_tasks()
    toolbox = await toolbox_of(hub, config(server.url))
    calling = asyncio.create_task(call(toolbox, "hang"))
    await eventually(lambda: bool(server.calls), "the tool runs")
    began = time.monotonic()

    await hub.aclose()

    outcome = (await asyncio.gather(calling, return_exceptions=True))[0]
    assert isinstance(outcome, Exception)
    assert time.monotonic() - began < 6
    assert asyncio.all_tasks() <= before | {calling}


async def test_a_server_that_is_taken_away_keeps_nobody_waiting(
    hub: Hub, server: ScriptedMCPServer
) -> None:
    toolbox = await toolbox_of(hub, config(server.url, wait_seconds=30))
    await asyncio.to_thread(server.stop)
    calling = asyncio.create_task(call(toolbox, "echo", text="anybody?"))
    await eventually(lambda: hub.health()[0].state == "down", "the call waits for the server")
    began = time.monotonic()

    hub.configure([])

    with pytest.raises(ServerUnavailable, match="not in use any more"):
        await calling
    assert time.monotonic() - began < 6
