"""No child outlives us: not one that wants to, and not however we end."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from chat.mcp.hub import Hub
from chat.models import MCPServer
from tests.mcp.children import SERVER, child, is_alive, pid_of
from tests.mcp.steps import call, eventually, toolbox_of
from tests.people import Person
from tests.servers.site import Site
from tests.sse import ask


@pytest.fixture
def config_file(tmp_path: Path, database: None) -> Iterator[Callable[..., str]]:
    """Writes MCP_CONFIG for a server that keeps notes; the row it makes goes afterwards."""

    def write(*options: str) -> str:
        args = ["-S", SERVER, "--notes", str(tmp_path / "notes"), *options]
        servers = {"Stays": {"command": sys.executable, "args": args}}
        (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": servers}))
        return str(tmp_path / "mcp.json")

    yield write
    MCPServer.objects.filter(slug="stays").delete()


async def test_what_a_child_has_started_goes_with_it(hub: Hub) -> None:
    toolbox = await toolbox_of(hub, child())
    grandchild = int((await call(toolbox, "raise_child")).text)
    assert is_alive(grandchild)

    await hub.aclose()

    await eventually(lambda: not is_alive(grandchild), "the grandchild is gone", 10)


async def test_a_child_that_wants_to_stay_is_made_to_go(hub: Hub) -> None:
    toolbox = await toolbox_of(hub, child("--deaf", "--stubborn"))
    pid = await pid_of(toolbox)
    began = time.monotonic()

    await hub.aclose()

    assert not is_alive(pid)
    assert time.monotonic() - began < 8


async def test_a_child_is_gone_even_when_the_one_who_closes_is_cancelled(hub: Hub) -> None:
    toolbox = await toolbox_of(hub, child("--deaf", "--stubborn"))
    pid = await pid_of(toolbox)
    (owner,) = (task for task in asyncio.all_tasks() if task.get_name() == "mcp child")

    owner.cancel()
    await eventually(lambda: hub.health()[0].state != "ready", "it is being left")
    owner.cancel()

    await eventually(lambda: not is_alive(pid), "the child is gone", 10)


@pytest.mark.parametrize(
    ("server", "number", "options"),
    [
        ("daphne", signal.SIGTERM, ["--deaf", "--stubborn"]),
        ("uvicorn", signal.SIGTERM, ["--deaf", "--stubborn"]),
        pytest.param(
            "daphne",
            signal.SIGKILL,
            ["--deaf"],
            marks=pytest.mark.skipif(sys.platform != "linux", reason="only Linux can do that"),
        ),
    ],
    ids=["SIGTERM", "SIGTERM under uvicorn", "SIGKILL"],
)
async def test_a_server_s_child_ends_with_it_however_it_ends(
    alice: Person,
    new_site: Callable[..., Site],
    config_file: Callable[..., str],
    tmp_path: Path,
    server: str,
    number: signal.Signals,
    options: list[str],
) -> None:
    site = new_site(server=server, MCP_CONFIG=config_file(*options))
    with httpx.Client(base_url=site.url, headers=alice.headers, timeout=30) as api:
        events = ask(api, "[[call who {}]] [[then]] [[text done]]")
    (result,) = (event.data for event in events if event.event == "tool_result")
    pid = int(result["result"])
    assert is_alive(pid)
    assert site.process

    os.kill(site.process.pid, number)

    await eventually(lambda: not is_alive(pid), "the child is gone", 10)
    assert (tmp_path / "notes").read_text().split() == [str(pid), "who"]
    # Uvicorn ends as the signal would have ended it, once all is done.
    is_clean = server == "daphne" and number == signal.SIGTERM
    assert site.process.wait(10) == (0 if is_clean else -number)
