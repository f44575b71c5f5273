"""Many calls, many deaths: clear outcomes, nothing left behind, neighbours untouched."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from tempfile import TemporaryFile

import psutil
import pytest

from chat.errors import ServerUnavailable, ToolLost, ToolTimeout
from chat.mcp.hub import Hub
from chat.mcp.toolbox import HubToolbox
from tests.mcp.steps import call, config, eventually, toolbox_of
from tests.servers.mcp_server import ScriptedMCPServer
from tests.servers.site import free_port
from tests.servers.spawner import Program
from tests.sse import wait_until

# By hand: ROUNDS=500.
ROUNDS = int(os.environ.get("ROUNDS", "12"))


class Killable:
    """The demo tools on a port of their own, to be killed and started again."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        self._process: Program | None = None

    def start(self) -> None:
        with TemporaryFile() as out:
            arguments = ["--port", str(self.port)]
            self._process = Program("chat.mcp.demo.server", arguments, os.environ, out)
            # Where it writes next is shared with it, and stays its own.
            said = lambda: b"READY" in os.pread(out.fileno(), 10_000, 0)  # noqa: E731
            wait_until(said, 20, "the demo server is ready")

    def kill(self) -> None:
        assert self._process
        self._process.kill()
        self._process.wait(5)

    def send(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)


@pytest.fixture
def killable() -> Iterator[Killable]:
    server = Killable()
    server.start()
    yield server
    server.kill()


@asynccontextmanager
async def unhurried(toolbox: HubToolbox) -> AsyncIterator[list[float]]:
    """How long each call of a neighbour takes meanwhile."""
    took: list[float] = []

    async def ask_again_and_again() -> None:
        while True:
            began = time.monotonic()
            await call(toolbox, "echo", text="still here")
            took.append(time.monotonic() - began)

    task = asyncio.create_task(ask_again_and_again())
    yield took
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.alone
async def test_fifty_calls_in_flight_when_a_server_is_killed(
    hub: Hub, killable: Killable, server: ScriptedMCPServer
) -> None:
    toolbox = await toolbox_of(
        hub, config(killable.url, wait_seconds=1), config(server.url, slug="other")
    )
    heard = asyncio.Event()
    reported = 0

    async def progress(value: float, total: float | None, message: str | None) -> None:
        nonlocal reported
        reported += 1
        if reported == 50:
            heard.set()

    calls = [
        asyncio.create_task(call(toolbox, "slow_task", progress, seconds=60, steps=100))
        for _ in range(50)
    ]
    async with unhurried(toolbox) as took:
        await asyncio.wait_for(heard.wait(), 15)
        # While fifty calls begin at once in this process, it is busy itself.
        took.clear()
        killable.kill()
        began = time.monotonic()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert time.monotonic() - began < 1
        assert [type(outcome) for outcome in outcomes] == [ToolLost] * 50

        began = time.monotonic()
        down = await asyncio.gather(
            *(call(toolbox, "calculate", expression="1") for _ in range(20)),
            return_exceptions=True,
        )
        assert time.monotonic() - began < 1.5
        assert [type(outcome) for outcome in down] == [ServerUnavailable] * 20
        assert "cannot be reached: the connection was refused" in str(down[0])

        await asyncio.to_thread(killable.start)
        assert (await call(toolbox, "calculate", expression="1+1")).text == "1+1 = 2"
    assert len(took) > 20
    assert max(took) < 0.5


@pytest.mark.alone
async def test_a_frozen_server_costs_its_deadline_and_no_more(hub: Hub, killable: Killable) -> None:
    toolbox = await toolbox_of(hub, config(killable.url, call_timeout_seconds=1))
    killable.send(signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(ToolTimeout):
            await call(toolbox, "calculate", expression="1")
        assert 1 <= time.monotonic() - began < 1.5
    finally:
        killable.send(signal.SIGCONT)


async def test_connecting_and_dying_again_and_again_leaves_nothing(killable: Killable) -> None:
    me = psutil.Process()

    async def round_trip() -> None:
        hub = Hub()
        toolbox = await toolbox_of(hub, config(killable.url, wait_seconds=10))
        calling = asyncio.create_task(call(toolbox, "slow_task", seconds=60))
        await call(toolbox, "calculate", expression="1")
        await asyncio.to_thread(killable.kill)
        assert isinstance(
            (await asyncio.gather(calling, return_exceptions=True))[0],
            ToolLost | ServerUnavailable,
        )
        await asyncio.to_thread(killable.start)
        assert (await call(toolbox, "calculate", expression="1+1")).text == "1+1 = 2"
        await hub.aclose()

    await round_trip()
    tasks, files, children = len(asyncio.all_tasks()), me.num_fds(), len(me.children())
    for _ in range(ROUNDS):
        await round_trip()

    await eventually(lambda: len(asyncio.all_tasks()) <= tasks, "no task is left")
    await eventually(lambda: me.num_fds() <= files, "no file is left open")
    assert len(me.children()) <= children
