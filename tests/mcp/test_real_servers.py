"""Servers that others have published, as they come from the registries."""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from chat.mcp.config import ServerConfig
from chat.mcp.hub import Hub
from tests.mcp.steps import call, toolbox_of
from tests.mcp.steps import config as over_http
from tests.servers.real.install import program
from tests.servers.site import free_port

START_SECONDS = 20


def over_stdio(slug: str, name: str, *args: str, **values: Any) -> ServerConfig:
    return ServerConfig(
        slug=slug, name=slug, command=program(name), args=args, wait_seconds=START_SECONDS, **values
    )


def everything_over_stdio(slug: str = "everything") -> ServerConfig:
    return over_stdio(slug, "mcp-server-everything")


@pytest.fixture(scope="module")
def everything_url() -> Iterator[str]:
    """`server-everything` over streamable HTTP, in a process of its own."""
    port = free_port()
    process = subprocess.Popen(
        [program("mcp-server-everything"), "streamableHttp"],
        env={
            "PORT": str(port),
            "PATH": os.environ["PATH"],
            # Node 18, which Debian 12 has, hides from it what it needs for its session ids.
            "NODE_OPTIONS": "--experimental-global-webcrypto",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url, deadline = f"http://127.0.0.1:{port}/mcp", time.monotonic() + START_SECONDS
    try:
        while not answers(url):
            assert process.poll() is None, "it has ended"
            assert time.monotonic() < deadline, "it does not answer"
        yield url
    finally:
        process.kill()
        process.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code > 0
    except httpx.TransportError:
        time.sleep(0.02)
        return False


@pytest.fixture(params=["stdio", "http"])
def everything(request: pytest.FixtureRequest) -> ServerConfig:
    """`server-everything` has something of each kind."""
    if request.param == "stdio":
        return everything_over_stdio()
    return over_http(request.getfixturevalue("everything_url"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What may be read; one level up is what may not."""
    (tmp_path / "outside.txt").write_text("not for them")
    folder = tmp_path / "inside"
    folder.mkdir()
    (folder / "hello.txt").write_text("Grüße 👋")
    return folder


@pytest.fixture
def repository(folder: Path) -> Path:
    for command in (
        ["init", "-q"],
        ["add", "."],
        [
            "-c",
            "user.name=Alice",
            "-c",
            "user.email=a@example.test",
            "commit",
            "-qm",
            "First words",
        ],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


async def test_all_kinds_of_results_come_back(hub: Hub, everything: ServerConfig) -> None:
    toolbox = await toolbox_of(hub, everything)

    text = await call(toolbox, "echo", message="Grüße 👋")
    structured = await call(toolbox, "get-structured-content", location="Chicago")
    image = await call(toolbox, "get-tiny-image")
    links = await call(toolbox, "get-resource-links", count=2)
    embedded = await call(toolbox, "get-resource-reference", resourceType="Text", resourceId=1)

    assert text.text == "Echo: Grüße 👋"
    assert structured.structured == json.loads(structured.text)
    assert set(structured.structured) == {"temperature", "conditions", "humidity"}
    assert "[image image/png, 4,033 bytes]" in image.text
    assert "Text Resource 2: demo://resource/dynamic/text/2" in links.text
    assert "This is a plaintext resource" in embedded.text


async def test_wrong_arguments_come_back_in_the_server_s_words(
    hub: Hub, everything: ServerConfig
) -> None:
    toolbox = await toolbox_of(hub, everything)

    result = await call(toolbox, "get-sum", a="two", b=3)

    assert result.is_error
    assert "expected number" in result.text


async def test_progress_comes_while_the_tool_works(hub: Hub, everything: ServerConfig) -> None:
    toolbox = await toolbox_of(hub, everything)
    seen: list[tuple[float, float | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total))

    await call(toolbox, "trigger-long-running-operation", on_progress, duration=0.4, steps=4)

    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


async def test_a_long_call_can_be_cancelled_and_the_next_one_answers(
    hub: Hub, everything: ServerConfig
) -> None:
    toolbox = await toolbox_of(hub, everything)
    has_begun = asyncio.Event()

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        has_begun.set()

    calling = asyncio.create_task(
        call(toolbox, "trigger-long-running-operation", on_progress, duration=60, steps=600)
    )
    await asyncio.wait_for(has_begun.wait(), 5)
    began = time.monotonic()

    calling.cancel()

    with pytest.raises(asyncio.CancelledError):
        await calling
    assert (await call(toolbox, "echo", message="still here")).text == "Echo: still here"
    assert time.monotonic() - began < 5


async def test_two_servers_with_the_same_tools_are_kept_apart(
    hub: Hub, everything_url: str
) -> None:
    toolbox = await toolbox_of(
        hub, everything_over_stdio("near"), over_http(everything_url, slug="far")
    )

    environments = [await call(toolbox, f"{slug}_get-env") for slug in ("near", "far")]

    assert toolbox.find("get-env") is None
    assert ["PORT" in json.loads(found.text) for found in environments] == [False, True]


async def test_a_server_remembers_between_calls_and_from_one_process_to_the_next(
    hub: Hub, tmp_path: Path
) -> None:
    memory = over_stdio(
        "memory", "mcp-server-memory", env={"MEMORY_FILE_PATH": str(tmp_path / "memory.jsonl")}
    )
    alice = {"name": "Alice", "entityType": "person", "observations": ["owns a ferry"]}
    toolbox = await toolbox_of(hub, memory)
    await call(toolbox, "create_entities", entities=[alice])

    at_once = await call(toolbox, "search_nodes", query="ferry")
    hub.configure([])
    later = await call(await toolbox_of(hub, memory), "open_nodes", names=["Alice"])

    assert at_once.structured == later.structured == {"entities": [alice], "relations": []}


async def test_files_are_read_inside_of_the_folder_and_refused_outside(
    hub: Hub, folder: Path
) -> None:
    toolbox = await toolbox_of(hub, over_stdio("files", "mcp-server-filesystem", str(folder)))

    inside = await call(toolbox, "read_text_file", path=str(folder / "hello.txt"))
    outside = await call(toolbox, "read_text_file", path=str(folder.parent / "outside.txt"))

    assert (inside.text, inside.is_error) == ("Grüße 👋", False)
    assert outside.is_error
    assert "Access denied" in outside.text
    assert "not for them" not in outside.text


async def test_the_time_is_told(hub: Hub) -> None:
    toolbox = await toolbox_of(
        hub, over_stdio("time", "mcp-server-time", "--local-timezone", "UTC")
    )

    told = await call(
        toolbox,
        "convert_time",
        source_timezone="Asia/Tokyo",
        time="12:00",
        target_timezone="Asia/Kolkata",
    )

    assert json.loads(told.text)["time_difference"] == "-3.5h"


async def test_a_repository_is_read(hub: Hub, repository: Path) -> None:
    toolbox = await toolbox_of(
        hub, over_stdio("git", "mcp-server-git", "--repository", str(repository))
    )

    log = await call(toolbox, "git_log", repo_path=str(repository), max_count=1)
    elsewhere = await call(toolbox, "git_log", repo_path=str(repository.parent))

    assert "First words" in log.text
    assert elsewhere.is_error
