"""Servers over HTTP that do what no server should: it costs their own calls, and nobody else's."""

import asyncio
from typing import Any

import pytest

from chat.errors import ToolError, ToolLost
from chat.mcp.health import ServerHealth
from chat.mcp.hub import Hub
from chat.mcp.toolbox import HubToolbox
from tests.mcp.steps import HeldUp, call, config, eventually, toolbox_of
from tests.mcp.test_discovery import definition
from tests.servers.bare_mcp_server import BareMCPServer

ODD = {"code": -32000, "message": "Quota exceeded"}


def tools(*names: str) -> list[dict[str, object]]:
    return [definition(name) for name in names]


async def stopped(toolbox: HubToolbox, server: BareMCPServer, name: str, times: int) -> None:
    """That many calls, begun and then stopped."""
    before = server.calls.count(name)
    waiting = [asyncio.create_task(call(toolbox, name)) for _ in range(times)]
    await eventually(lambda: server.calls.count(name) == before + times, "they run")
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


@pytest.mark.parametrize("name", ["packed", "garbled"])
async def test_nothing_compressed_is_taken(hub: Hub, name: str) -> None:
    with BareMCPServer(tools(name, "gate")) as server:
        toolbox = await toolbox_of(hub, config(server.url))
        innocent = asyncio.create_task(call(toolbox, "gate"))
        await eventually(lambda: "gate" in server.calls, "another call runs")

        async with HeldUp() as held:
            with pytest.raises(ToolLost):
                await call(toolbox, name, megabytes=400)

        assert held.longest < 0.2
        server.opened.set()
        assert (await innocent).text == "fine"
        assert {headers["accept-encoding"] for headers in server.headers} == {"identity"}


@pytest.mark.parametrize("name", ["stuck", "mute"])
async def test_a_call_that_is_stopped_keeps_no_connection(hub: Hub, name: str) -> None:
    with BareMCPServer(tools(name, "ok")) as server:
        toolbox = await toolbox_of(hub, config(server.url, calls_at_once=4))

        for _ in range(5):
            await stopped(toolbox, server, name, times=4)

        assert (await call(toolbox, "ok")).text == "fine"
        await eventually(lambda: server.left == 20, "all were left")
        assert server.calls.count(name) == 20
        assert server.methods.count("notifications/cancelled") == 20
        assert server.methods.count("initialize") == 1


async def test_a_server_that_wants_us_back_at_once_is_asked_a_few_times_a_second(hub: Hub) -> None:
    with BareMCPServer(tools("gate")) as server:
        server.session = "one"
        toolbox = await toolbox_of(hub, config(server.url))
        loop = asyncio.get_running_loop()
        began = loop.time()
        await eventually(lambda: server.methods.count("GET") >= 8, "it is asked again")

        assert loop.time() - began > 7 * 0.2 - 0.1
        server.opened.set()
        assert (await call(toolbox, "gate")).text == "fine"


async def test_a_session_that_is_not_known_any_more_is_begun_anew(hub: Hub) -> None:
    with BareMCPServer(tools("ok")) as server:
        server.session = "one"
        toolbox = await toolbox_of(hub, config(server.url))
        server.session = "two"

        assert (await call(toolbox, "ok")).text == "fine"

        assert server.calls == ["ok"]
        assert server.methods.count("initialize") == 2


@pytest.mark.parametrize(
    "error",
    [
        ODD,
        {**ODD, "data": {"sent": False, "is_sent": False, "by": ""}},
        {"code": -32001, "message": "Quota exceeded"},
        {"code": -32600, "message": "Quota exceeded"},
    ],
)
async def test_an_error_of_the_server_is_told_in_its_words_whatever_its_code(
    hub: Hub, error: dict[str, Any]
) -> None:
    with BareMCPServer(tools("refuse", "ok")) as server:
        toolbox = await toolbox_of(hub, config(server.url))

        with pytest.raises(ToolError, match=r"^Quota exceeded$") as failure:
            await call(toolbox, "refuse", error=error)

        assert type(failure.value) is ToolError
        assert server.calls == ["refuse"]
        assert (await call(toolbox, "ok")).text == "fine"
        assert server.methods.count("initialize") == 1


async def test_what_a_server_says_of_itself_is_fit_to_be_stored(
    hub: Hub, heard: list[ServerHealth]
) -> None:
    said = "No\x00 \x1b[31mluck\r\nFAKE line " + "x" * 5_000_000
    with BareMCPServer([]) as server:
        server.refuses = {"code": 1, "message": said}
        hub.configure([config(server.url, wait_seconds=1)])
        async with HeldUp() as held:
            await hub.open_toolbox().discover()

    (reason,) = {health.reason for health in heard if health.state == "down"}
    assert reason.startswith("No\ufffd [31mluck FAKE line xxx")
    assert len(reason) <= 300
    assert held.longest < 0.2
