"""The product as a process of its own, on a free port."""

import os
import random
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from tests.servers.spawner import Program

ROOT = Path(__file__).resolve().parent.parent.parent
# Tests may have seeded the usual one, alike in each of several processes.
chance = random.SystemRandom()
START_SECONDS = 60
STOP_SECONDS = 30


def free_port() -> int:
    """Of those that the system gives to no connection: nobody else takes it meanwhile."""
    while True:
        port = chance.randint(15_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def listens(port: int) -> bool:
    """Whether anybody does, here. Cheap beside a client: it is asked many times in a start."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class Site:
    """Our application under Daphne, or uvicorn. `url` answers once the block is entered."""

    def __init__(self, *, server: str = "daphne", **environment: str) -> None:
        self._server = server
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = os.environ | {"LLM_MODEL": "scripted"} | environment
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed on leaving)
        self.process: Program | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"The site did not stop:\n{self.log[-5000:]}") from None
        finally:
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
        arguments = [*place[self._server], "chatsite.asgi:application"]
        self.process = Program(self._server, arguments, self._environment, self._log)
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
        with suppress(httpx.TransportError):
            if listens(self.port):
                return httpx.get(f"{self.url}/healthz", timeout=1).status_code == 200
        time.sleep(0.02)
        return False
