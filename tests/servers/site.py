"""The product as a process of its own, on a free port."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 30
STOP_SECONDS = 12


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Site:
    """Our application under Daphne, or uvicorn. `url` answers once the block is entered."""

    def __init__(self, *, server: str = "daphne", **environment: str) -> None:
        self._server = server
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = os.environ | {"LLM_MODEL": "scripted"} | environment
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed on leaving)
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._log.close()

    @property
    def log(self) -> str:
        self._log.seek(0)
        return self._log.read()

    def start(self) -> None:
        place = {
            "daphne": ["-b", "127.0.0.1", "-p", str(self.port)],
            "uvicorn": ["--host", "127.0.0.1", "--port", str(self.port)],
        }
        command = [sys.executable, "-m", self._server, *place[self._server]]
        self.process = subprocess.Popen(
            [*command, "chatsite.asgi:application"],
            cwd=ROOT,
            env=self._environment,
            stdout=self._log,
            stderr=self._log,
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The site did not start:\n{self.log}")

    def stop(self) -> int:
        """Ask it to stop, and wait until it has; its exit code."""
        assert self.process
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """As a power cut does."""
        assert self.process
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=1).status_code == 200
        except httpx.TransportError:
            time.sleep(0.05)
            return False
