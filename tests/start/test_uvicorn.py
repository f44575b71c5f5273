"""uvicorn in place of Daphne: it begins, streams, speaks WebSocket, and ends as it should."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import httpx
import pytest

from tests.servers.model_server import ScriptedModelServer
from tests.servers.site import ROOT, free_port, listens
from tests.sse import frames, read, text_of, wait_until
from tests.start.steps import START_SECONDS, Installation, heed_ctrl_c

STOP_SECONDS = 30


class Uvicorn:
    """The command that the README gives. It runs once `awaited` is answered with 200."""

    def __init__(self, installation: Installation, log: Path, awaited: str = "/readyz") -> None:
        self._awaited = awaited
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._log = log
        options = ["--port", str(self._port), "--timeout-graceful-shutdown", "1"]
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "uvicorn", *options, "chatsite.asgi:application"],
                cwd=ROOT,
                env=installation.environment,
                stdout=output,
                stderr=output,
                preexec_fn=heed_ctrl_c,
            )
        wait_until(self._answers, START_SECONDS, "uvicorn answers")

    @property
    def output(self) -> str:
        return self._log.read_text()

    def end(self, how: signal.Signals) -> int:
        """Its exit code."""
        self.process.send_signal(how)
        return self.process.wait(STOP_SECONDS)

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.output
        try:
            url = self.url + self._awaited
            return listens(self._port) and httpx.get(url, timeout=5).status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture
def start(
    installation: Installation, model_server: ScriptedModelServer, tmp_path: Path
) -> Iterator[Callable[[], Uvicorn]]:
    running: list[Uvicorn] = []
    installation.environment |= {"LLM_BASE_URL": model_server.base_url, "LLM_MODEL": "scripted"}

    def start() -> Uvicorn:
        running.append(Uvicorn(installation, tmp_path / f"log-{len(running)}"))
        return running[-1]

    yield start
    for one in running:
        one.process.kill()
        one.process.wait()


def test_on_a_database_without_tables_it_is_alive_and_not_ready(
    bare: Installation, tmp_path: Path
) -> None:
    running = Uvicorn(bare, tmp_path / "log", awaited="/healthz")
    try:
        answer = httpx.get(f"{running.url}/readyz")
    finally:
        running.process.kill()
        running.process.wait()

    assert (answer.status_code, answer.json()["database"]) == (503, "OperationalError")


@pytest.fixture
def uvicorn(start: Callable[[], Uvicorn]) -> Uvicorn:
    return start()


@pytest.fixture
def program(uvicorn: Uvicorn, installation: Installation) -> Iterator[httpx.Client]:
    token = installation.manage("create_api_token", "admin").stdout.strip()
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=uvicorn.url, headers=headers, timeout=START_SECONDS) as client:
        yield client


def test_it_streams_speaks_websocket_and_ctrl_c_ends_it_well(
    uvicorn: Uvicorn, program: httpx.Client
) -> None:
    # By our consumer; without a library for WebSockets it would be a 404.
    assert asyncio.run(refusal_of_websocket(uvicorn)) == 403
    with program.stream("POST", "/chat/stream", json={"message": "Hello"}) as response:
        seen = list(frames(response))
    code = uvicorn.end(signal.SIGINT)

    assert [frame.id for frame in seen] == list(range(1, len(seen) + 1))
    assert seen[-1].event == "done"
    assert text_of(seen) == seen[-1].data["content"] != ""
    assert code == 0
    assert "Traceback" not in uvicorn.output


async def refusal_of_websocket(uvicorn: Uvicorn) -> int:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{uvicorn.url}/ws/".replace("http", "ws"))
    return refused.value.status


def test_an_open_answer_goes_on_in_the_next_process(
    uvicorn: Uvicorn, program: httpx.Client, start: Callable[[], Uvicorn]
) -> None:
    body = {"message": "[[tokens 2000 delay 5]]"}
    with program.stream("POST", "/chat/stream", json=body) as response:
        run_id = response.headers["X-Run-Id"]
        next(frames(response))
        code = uvicorn.end(signal.SIGTERM)
    program.base_url = start().url
    went_on = read(program, run_id, until=lambda frame: frame.event == "step_restarted")

    # What was asked for, and not a failure: uvicorn ends by the signal that it was sent.
    assert code == -signal.SIGTERM
    assert "Application shutdown complete." in uvicorn.output
    assert [frame.id for frame in went_on] == list(range(1, len(went_on) + 1))
    assert went_on[-1].event == "step_restarted"


def test_workers_that_may_not_start_say_why_and_end_it_all(installation: Installation) -> None:
    command = [sys.executable, "-m", "uvicorn", "chatsite.asgi:application", "--workers", "2"]

    ended = subprocess.run(
        [*command, "--port", str(free_port())],
        cwd=ROOT,
        env=installation.environment | {"REDIS_URL": ""},
        stderr=subprocess.PIPE,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )

    assert "set REDIS_URL" in ended.stderr
    assert "Traceback" not in ended.stderr
