"""Redis for tests: a private server on a free port that keeps nothing."""

import contextlib
import shutil
import signal
import subprocess
import tempfile
from types import TracebackType
from typing import Self

import redis

from tests.servers.programs import find
from tests.servers.site import free_port
from tests.sse import wait_until

START_SECONDS = 10


class Redis:
    """`url` answers within the block, but while it is killed or frozen."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="ferryline-redis-")
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Return when it answers. It is empty."""
        options = {"port": str(self.port), "bind": "127.0.0.1", "save": "", "dir": self._folder}
        self._process = subprocess.Popen(
            [
                str(find("redis-server")),
                *(part for n, v in options.items() for part in (f"--{n}", v)),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._answers, START_SECONDS, "Redis answers")

    def kill(self) -> None:
        """As a power cut does."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def flush(self) -> None:
        """Forget everything."""
        with contextlib.closing(redis.Redis.from_url(self.url)) as client:
            client.flushall()

    def freeze(self) -> None:
        """Its connections stay, and nothing answers on them."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        with contextlib.closing(redis.Redis.from_url(self.url)) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False
