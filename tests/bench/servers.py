"""The processes of a benchmark: the model, the relay, and Ferryline under each ASGI server."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.servers.site import ROOT, free_port

START_SECONDS = 120
STOP_SECONDS = 30
UVICORN = [sys.executable, "-m", "uvicorn", "--no-access-log", "--log-level", "warning"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """A server under test. `environment`: what its commands need to reach its database."""

    name: str
    url: str
    pid: int
    token: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_ours(self) -> bool:
        return bool(self.token)


@contextmanager
def model() -> Iterator[str]:
    """The base address of a scripted model."""
    command = [sys.executable, "-m", "tests.bench.model"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@contextmanager
def relay(base_url: str) -> Iterator[Running]:
    port = free_port()
    command = [*UVICORN, "--port", str(port), "tests.bench.relay:app"]
    with _process(command, port, os.environ | {"LLM_BASE_URL": base_url}) as pid:
        yield Running(name="the relay", url=f"http://127.0.0.1:{port}", pid=pid)


@contextmanager
def ferryline(server: str, folder: Path, **settings: str) -> Iterator[Running]:
    """`server`: daphne or uvicorn. On SQLite in `folder`, or on BENCH_DATABASE_URL."""
    port = free_port()
    database = os.environ.get("BENCH_DATABASE_URL", f"sqlite:///{folder}/{server}.sqlite3")
    environment = os.environ | {
        "SECRET_KEY": "bench",
        "DATABASE_URL": database,
        "MEDIA_DIR": str(folder),
        "DEMO_MCP_SERVER": "false",
        "PORT": str(port),
        "LLM_MODEL": "bench",
        "TITLE_BY_MODEL": "false",
        "LLM_IDLE_TIMEOUT_SECONDS": "600",
        "MAX_ACTIVE_RUNS_PER_USER": "10000",
        "MAX_RUN_STARTS_PER_MINUTE": "0",
        "ADMIN_USERNAME": "bench",
        "DRAIN_SECONDS": "0",
        **dict.fromkeys(
            ["REDIS_URL", "LLM_API_KEY", "LLM_MODELS", "MCP_API_KEY", "MCP_CONFIG"], ""
        ),
        **settings,
    }
    manage("setup", environment=environment)
    token = manage("create_api_token", "bench", environment=environment)
    under = [*UVICORN, "--port", str(port), "chatsite.asgi:application"]
    command = under if server == "uvicorn" else [sys.executable, "manage.py", "serve"]
    with _process(command, port, environment) as pid:
        yield Running(
            name=f"under {server.title()}",
            url=f"http://127.0.0.1:{port}",
            pid=pid,
            token=token,
            environment=environment,
        )


def manage(*arguments: str, environment: Mapping[str, str]) -> str:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.check_output(command, cwd=ROOT, env=environment, text=True).strip()


@contextmanager
def _process(command: Sequence[str], port: int, environment: Mapping[str, str]) -> Iterator[int]:
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            _wait_for(f"http://127.0.0.1:{port}/healthz", process)
            yield process.pid
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            httpx.get(url, timeout=1)
            return
        except httpx.TransportError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{process.args!r} did not start.") from None
            time.sleep(0.1)
