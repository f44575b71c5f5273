"""A call and each way it can end."""

import asyncio
import json
import time
from typing import Any

import pytest

from chat.errors import ServerUnavailable, ToolBlocked, ToolError, ToolLost, ToolTimeout
from chat.mcp.hub import Hub
from chat.tools import ToolResult
from tests.mcp.steps import call, config, eventually, toolbox_of
from tests.servers.bare_mcp_server import BareMCPServer
from tests.servers.mcp_server import ScriptedMCPServer


def tools(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "inputSchema": {"type": "object"}} for name in names]


async def test_a_call_brings_back_the_tool_s_text(hub: Hub, server: ScriptedMCPServer) -> None:
    toolbox = await toolbox_of(hub, config(server.url))

    result = await call(toolbox, "echo", text="Grüße 👋")

    assert (result.text, result.is_error) == ("Grüße 👋", False)
    assert server.calls == [("echo", {"text": "Grüße 👋"})]


async def test_structured_output_comes_along(hub: Hub, server: ScriptedMCPServer) -> None:
    toolbox = await toolbox_of(hub, config(server.url))

    result = await call(toolbox, "add", a=2, b=3)

    assert result.structured == {"sum": 5}
    assert json.loads(result.text) == {"sum": 5}


async def test_a_tool_that_fails_is_a_result_in_its_own_words(
    hub: Hub, server: ScriptedMCPServer
) -> None:
    toolbox = await toolbox_of(hub, config(server.url))

    result = await call(toolbox, "fail", text="no luck today")

    assert result.is_error
    assert "no luck today" in result.text


async def test_wrong_arguments_are_a_result_that_says_so(
    hub: Hub, server: ScriptedMCPServer
) -> None:
    toolbox = await toolbox_of(hub, config(server.url))

    result = await call(toolbox, "add", a="two")

    assert result.is_error
    assert not server.calls


async def test_an_unknown_tool_is_blocked_without_asking_the_server(
    hub: Hub, server: ScriptedMCPServer
) -> None:
    toolbox = await toolbox_of(hub, config(server.url))

    with pytest.raises(ToolBlocked, match="invented"):
        await call(toolbox, "invented")

    assert not server.calls


async def test_progress_is_passed_on_in_order(hub: Hub, server: ScriptedMCPServer) -> None:
    toolbox = await toolbox_of(hub, config(server.url))
    seen: list[tuple[float, float | None, str | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total, message))

    result = await call(toolbox, "slow", on_progress, seconds=0.1, steps=3)

    assert result.text == "slow but done"
    assert seen == [(1, 3, "step 1"), (2, 3, "step 2"), (3, 3, "step 3")]


async def test_a_call_ends_at_its_deadline_and_the_server_is_told(
    hub: Hub, server: ScriptedMCPServer
) -> None:
    toolbox = await toolbox_of(hub, config(server.url, call_timeout_seconds=0.5))
    began = time.monotonic()

    with pytest.raises(ToolTimeout, match=r"within 0\.5 seconds"):
        await call(toolbox, "hang")

    assert 0.4 < time.monotonic() - began < 2
    await eventually(lambda: server.cancelled == ["hang"], "the tool sees its cancellation", 10)
    assert (await call(toolbox, "echo", text="still here")).text == "still here"


async def test_cancelling_the_caller_cancels_the_tool(hub: Hub, server: ScriptedMCPServer) -> None:
    toolbox = await toolbox_of(hub, config(server.url))
    calling = asyncio.create_task(call(toolbox, "hang"))
    await eventually(lambda: bool(server.calls), "the tool runs")

    calling.cancel()

    await eventually(lambda: server.cancelled == ["hang"], "the tool sees its cancellation", 10)
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert (await call(toolbox, "echo", text="still here")).text == "still here"


async def test_fifty_calls_at_once_each_get_their_own_answer(
    hub: Hub, server: ScriptedMCPServer
) -> None:
    toolbox = await toolbox_of(hub, config(server.url))

    results = await asyncio.gather(*(call(toolbox, "echo", text=str(n)) for n in range(50)))

    assert [result.text for result in results] == [str(n) for n in range(50)]


async def test_a_server_that_dies_in_mid_call_loses_that_call(
    hub: Hub, server: ScriptedMCPServer
) -> None:
    toolbox = await toolbox_of(hub, config(server.url))
    calling = [asyncio.create_task(call(toolbox, "hang")) for _ in range(3)]
    await eventually(lambda: len(server.calls) == 3, "the tools run")

    await asyncio.to_thread(server.stop)

    outcomes = await asyncio.wait_for(asyncio.gather(*calling, return_exceptions=True), 5)
    assert [type(outcome) for outcome in outcomes] == [ToolLost] * 3
    # Never repeated: it may have been executed.
    assert len(server.calls) == 3


async def test_a_server_that_is_gone_makes_the_call_unavailable_not_lost(
    hub: Hub, server: ScriptedMCPServer
) -> None:
    toolbox = await toolbox_of(hub, config(server.url, wait_seconds=0.5))
    await asyncio.to_thread(server.stop)
    began = time.monotonic()

    with pytest.raises(
        ServerUnavailable, match="Demo tools cannot be reached: the connection was refused"
    ):
        await call(toolbox, "echo", text="anybody?")

    assert time.monotonic() - began < 5
    assert not server.calls


async def test_a_call_that_breaks_off_hurts_no_other(hub: Hub) -> None:
    with BareMCPServer(tools("ok", "cut", "gate")) as server:
        toolbox = await toolbox_of(hub, config(server.url))
        waiting = asyncio.create_task(call(toolbox, "gate"))
        await eventually(lambda: "gate" in server.calls, "the innocent call runs")

        with pytest.raises(ToolLost):
            await call(toolbox, "cut")

        server.opened.set()
        assert (await waiting).text == "fine"
        assert server.calls.count("cut") == 1


@pytest.mark.parametrize("name", ["huge", "huge_event"])
async def test_a_result_that_is_too_large_is_an_error_and_not_a_lost_call(
    hub: Hub, name: str
) -> None:
    with BareMCPServer(tools(name, "ok")) as server:
        toolbox = await toolbox_of(hub, config(server.url))

        with pytest.raises(ToolError, match="larger than can be accepted") as failure:
            await call(toolbox, name, megabytes=9)

        assert not isinstance(failure.value, ToolLost)
        assert (await call(toolbox, name, megabytes=2)).text.startswith("xxx")
        assert (await call(toolbox, "ok")).text == "fine"


async def test_credentials_that_are_refused_later_are_named_and_nothing_is_executed(
    hub: Hub,
) -> None:
    with BareMCPServer(tools("ok")) as server:
        toolbox = await toolbox_of(hub, config(server.url, wait_seconds=0.5))
        server.status = 403

        with pytest.raises(ServerUnavailable, match="refused our credentials"):
            await call(toolbox, "ok")

        assert not server.calls


async def test_a_proxy_that_gives_up_in_mid_call_loses_the_call(hub: Hub) -> None:
    with BareMCPServer(tools("ok")) as server:
        toolbox = await toolbox_of(hub, config(server.url))
        server.status = 502

        with pytest.raises(ToolLost):
            await call(toolbox, "ok")


@pytest.mark.alone
async def test_progress_holds_off_the_deadline_for_silence_but_not_the_last_one(
    hub: Hub, server: ScriptedMCPServer
) -> None:
    times = {"call_timeout_seconds": 0.6, "call_total_seconds": 2}
    toolbox = await toolbox_of(hub, config(server.url, **times))

    began = time.monotonic()
    done, late = await asyncio.gather(
        call(toolbox, "slow", seconds=1.5, steps=10),
        call(toolbox, "slow", seconds=30, steps=200),
        return_exceptions=True,
    )

    assert isinstance(done, ToolResult)
    assert done.text == "slow but done"
    assert isinstance(late, ToolTimeout)
    assert 1.5 < time.monotonic() - began < 6
