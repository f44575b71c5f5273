"""Servers that are our children: what they get, how they break, and that none is left behind."""

import asyncio
import json
import logging
import os
import re
import signal
import time
import tracemalloc
from pathlib import Path
from typing import Any

import psutil
import pytest

from chat.errors import ToolError, ToolLost
from chat.mcp.health import ServerHealth
from chat.mcp.hub import Hub
from chat.mcp.stdio.relay import LINES_A_MINUTE, MAX_LINE_CHARACTERS
from tests.mcp.children import SERVER, child, is_alive, pid_of
from tests.mcp.steps import HeldUp, call, eventually, toolbox_of


async def test_a_child_answers_and_is_gone_when_the_hub_closes(hub: Hub) -> None:
    tasks = asyncio.all_tasks()
    toolbox = await toolbox_of(hub, child())
    pid = await pid_of(toolbox)

    result = await call(toolbox, "echo", text="Grüße 👋\n")
    began = time.monotonic()
    await hub.aclose()

    assert result.text == "Grüße 👋\n"
    assert not psutil.pid_exists(pid)
    assert time.monotonic() - began < 5
    assert asyncio.all_tasks() <= tasks


async def test_fifty_calls_at_once_each_get_their_own_answer(hub: Hub) -> None:
    toolbox = await toolbox_of(hub, child())

    results = await asyncio.gather(*(call(toolbox, "echo", text=str(n)) for n in range(50)))

    assert [result.text for result in results] == [str(n) for n in range(50)]


async def test_a_child_knows_its_own_variables_and_none_of_ours(hub: Hub, tmp_path: Path) -> None:
    config = child(env={"MODE": "test"}, cwd=str(tmp_path))
    toolbox = await toolbox_of(hub, config)

    known = json.loads((await call(toolbox, "environment")).text)

    assert known["MODE"] == "test"
    assert known["PATH"] == os.environ["PATH"]
    assert "SECRET_KEY" in os.environ
    # LC_CTYPE is of Python's own making.
    allowed = {"MODE", "HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER", "LC_CTYPE"}
    assert set(known) <= allowed


async def test_a_child_that_dies_in_mid_call_loses_its_calls_and_a_new_one_is_started(
    hub: Hub, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    toolbox = await toolbox_of(hub, child("--notes", str(notes)))
    first = await pid_of(toolbox)
    hanging = [asyncio.create_task(call(toolbox, "hang")) for _ in range(3)]
    await eventually(lambda: notes.read_text().count("hang") == 3, "the tools run")
    began = time.monotonic()

    hanging.append(asyncio.create_task(call(toolbox, "die")))

    outcomes = await asyncio.gather(*hanging, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ToolLost] * 4
    assert time.monotonic() - began < 5
    assert await pid_of(toolbox) != first
    assert notes.read_text().count("hang") == 3


async def test_a_child_that_dies_while_idle_is_not_noticed_by_the_next_caller(
    hub: Hub, heard: list[ServerHealth]
) -> None:
    toolbox = await toolbox_of(hub, child())
    first = await pid_of(toolbox)
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: heard[-1].state != "ready", "the hub sees that it is gone")

    second = await pid_of(toolbox)

    assert second != first
    assert "it was ended by SIGKILL" in {health.reason for health in heard}


async def test_a_child_whose_own_child_holds_its_stdout_is_dead_all_the_same(hub: Hub) -> None:
    toolbox = await toolbox_of(hub, child())
    began = time.monotonic()

    with pytest.raises(ToolLost):
        await call(toolbox, "leave_child_and_die")

    assert time.monotonic() - began < 5
    assert (await call(toolbox, "echo", text="back")).text == "back"


@pytest.mark.parametrize("tool", ["close_stdout", "close_stdin"])
async def test_a_child_that_closes_a_pipe_is_replaced(hub: Hub, tool: str) -> None:
    toolbox = await toolbox_of(hub, child("--deaf"))
    first = await pid_of(toolbox)

    calls = [call(toolbox, tool), call(toolbox, "hang")]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert ToolLost in {type(outcome) for outcome in outcomes}
    assert await pid_of(toolbox) != first
    await eventually(lambda: not is_alive(first), "the old child is gone")


async def test_a_flood_on_stderr_blocks_nobody_and_fills_no_log(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "chat")
    toolbox = await toolbox_of(hub, child())

    result = await call(toolbox, "shout", lines=200_000, text="x" * 600)
    await hub.aclose()

    assert result.text == "fine"
    said = [r.getMessage() for r in caplog.records if r.name == "chat.mcp.stdio.relay"]
    assert len(said) == LINES_A_MINUTE + 1
    assert max(map(len, said)) < MAX_LINE_CHARACTERS + 50
    assert said[-1] == "MCP server child says 199,940 more lines"


async def test_secrets_that_a_child_lets_slip_are_masked(
    hub: Hub, heard: list[ServerHealth], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "chat")
    toolbox = await toolbox_of(hub, child(secrets=("canary-123",)))

    with pytest.raises(ToolLost):
        await call(toolbox, "die", text="\x1b[31mError: bad key canary-123")

    expected = "it ended with exit code 7: Error: bad key …"
    await eventually(lambda: heard[-1].reason == expected, "the reason is known")
    assert "bad key …" in caplog.text
    assert "canary" not in caplog.text


@pytest.mark.parametrize("id_last", [False, True])
async def test_an_endless_line_fails_its_call_and_is_not_kept(hub: Hub, id_last: bool) -> None:
    toolbox = await toolbox_of(hub, child())
    pid = await pid_of(toolbox)
    tracemalloc.start()

    with pytest.raises(ToolError, match="larger than can be accepted") as failure:
        await call(toolbox, "big", megabytes=50, id_last=id_last)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not isinstance(failure.value, ToolLost)
    assert peak < 24 << 20
    assert (await call(toolbox, "big", megabytes=2, id_last=id_last)).text.startswith("xxx")
    assert await pid_of(toolbox) == pid


async def test_what_is_no_message_on_stdout_does_no_harm(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "chat")
    toolbox = await toolbox_of(hub, child())

    assert (await call(toolbox, "chatter")).text == "fine"

    assert "MCP server child says: Welcome!" in caplog.text
    async with HeldUp() as held:
        assert (await call(toolbox, "chatter", characters=3_500_000)).text == "fine"
    assert held.longest < 0.2


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"command": "no-such-thing"}, "there is no command no-such-thing on the PATH"),
        ({"command": "./no-such-file"}, r"there is no file /.*/no-such-file"),
        ({"command": SERVER}, r"stdio_server\.py is not executable; chmod \+x makes it so"),
        ({"cwd": "/no/such/folder"}, "its folder /no/such/folder does not exist"),
        ({"args": ("-c", "import nowhere")}, "exit code 1: ModuleNotFoundError: No module named"),
        ({"args": ("-c", "pass")}, r"it ended with exit code 0\."),
        ({"args": ("a\0b",)}, "cannot be started: embedded null byte"),
    ],
    ids=["unknown", "no-file", "not-executable", "no-folder", "message", "silent", "nul"],
)
async def test_a_child_that_cannot_be_started_is_down_for_a_reason(
    hub: Hub, values: dict[str, Any], reason: str
) -> None:
    hub.configure([child(**values)])

    (failure,) = (await hub.open_toolbox().discover()).failures

    assert re.search(reason, failure)


async def test_a_script_without_its_interpreter_is_down_for_a_reason(
    hub: Hub, tmp_path: Path
) -> None:
    script = tmp_path / "serve"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    hub.configure([child(command=str(script), args=())])

    (failure,) = (await hub.open_toolbox().discover()).failures

    assert f"{script} cannot be started: No such file or directory" in failure
