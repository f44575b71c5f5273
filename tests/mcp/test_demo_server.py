"""The demo server as a process: what it prints, what it offers, how it ends."""

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from chat.mcp.client import MCPClient
from chat.mcp.demo.process import DemoServer
from tests.mcp.steps import eventually

TOOLS = {
    "current_time",
    "convert_time",
    "calculate",
    "convert_units",
    "search_docs",
    "ring_bell",
    "reset_bell",
    "slow_task",
}


@pytest.fixture
async def client(demo: DemoServer) -> AsyncIterator[MCPClient]:
    async with MCPClient(demo.url) as client:
        yield client


async def test_it_offers_its_tools_to_a_model(client: MCPClient) -> None:
    tools = await client.list_tools()

    assert {tool.name for tool in tools} == TOOLS
    assert all(tool.title and tool.description for tool in tools)
    for tool in tools:
        assert tool.input_schema["type"] == "object"


async def test_its_tools_answer_and_refuse_in_plain_words(client: MCPClient) -> None:
    sum_ = await client.call_tool("calculate", {"expression": "18% of 249.90"})
    zone = await client.call_tool("current_time", {"timezone": "New York"})
    time_ = await client.call_tool(
        "convert_time", {"time": "3pm", "from_timezone": "UTC", "to_timezone": "Tokyo"}
    )
    unit = await client.call_tool(
        "convert_units", {"value": 5, "from_unit": "miles", "to_unit": "km"}
    )
    docs = await client.call_tool("search_docs", {"query": "qqqqq"})
    power = await client.call_tool("calculate", {"expression": "9**9**9"})

    assert sum_.text == "18% of 249.90 = 44.982"
    assert "America/New_York" in zone.text
    assert "00:00 the next day in Tokyo" in time_.text
    assert unit.text == "5 mi = 8.04672 km"
    assert docs.text == "The documentation says nothing about 'qqqqq'."
    assert not any(result.is_error for result in (sum_, zone, time_, unit, docs))
    assert power.is_error
    assert power.text == "The power is too large; exponents up to 1,000 are possible."


@pytest.mark.alone
async def test_an_answer_is_not_held_back_by_the_network(client: MCPClient) -> None:
    """Small packets are sent at once: otherwise most calls take more than 40 ms."""
    took = []
    for _ in range(40):
        began = time.monotonic()
        await client.call_tool("calculate", {"expression": "1 + 1"})
        took.append(time.monotonic() - began)

    assert statistics.median(took) < 0.03


async def test_a_slow_task_reports_each_step_and_has_a_limit(client: MCPClient) -> None:
    seen: list[float] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        seen.append(progress)

    done = await client.call_tool("slow_task", {"seconds": 0.1, "steps": 2}, on_progress)
    endless = await client.call_tool("slow_task", {"seconds": 121})

    assert done.text == "Done: 2 steps in 0.1 seconds."
    assert seen == [1, 2]
    assert endless.is_error


async def test_it_ends_when_its_standard_input_does(demo: DemoServer) -> None:
    assert demo.process.stdin
    demo.process.stdin.close()

    ended = lambda: demo.process.poll() is not None  # noqa: E731
    assert await eventually(ended, "it ends with its parent") < 5


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
async def test_it_stops_when_asked_even_with_a_call_under_way(
    demo: DemoServer, client: MCPClient, by: signal.Signals
) -> None:
    began = asyncio.Event()

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        began.set()

    calling = asyncio.create_task(
        client.call_tool("slow_task", {"seconds": 100, "steps": 100}, on_progress)
    )
    await asyncio.wait_for(began.wait(), 5)

    demo.process.send_signal(by)

    # Long before the call is over, which takes 100 s.
    await eventually(lambda: demo.process.poll() is not None, "it stops")
    await asyncio.gather(calling, return_exceptions=True)


async def test_it_is_ready_when_it_says_so_and_stays_without_the_flag() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "chat.mcp.demo.server", "--port", "0"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        word, url = process.stdout.readline().split()
        assert word == "READY"
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(url)).status_code < 500
        assert process.poll() is None
    finally:
        process.kill()
        process.communicate()


def test_it_needs_neither_django_nor_settings() -> None:
    code = "import sys, chat.mcp.demo.server; sys.exit('django' in sys.modules)"
    environment = {key: value for key, value in os.environ.items() if "DJANGO" not in key}

    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0


async def test_it_ends_with_a_parent_that_was_killed() -> None:
    """Given a parent that holds the pipe and is killed without a chance to clean up."""
    code = (
        "import sys, time; from chat.mcp.demo.process import start_demo_server; "
        "demo = start_demo_server(); print(demo.process.pid, demo.url, flush=True); "
        "sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout
    child, url = parent.stdout.readline().split()
    began = time.monotonic()

    parent.kill()
    parent.communicate()

    await eventually(lambda: not _answers(url), f"the demo server (process {child}) ends")
    assert time.monotonic() - began < 5


def _answers(url: str) -> bool:
    try:
        httpx.get(url, timeout=1, trust_env=False)
    except httpx.TransportError:
        return False
    return True
