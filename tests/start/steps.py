"""The command line as people use it: real processes, in a process group as a terminal makes one."""

import os
import re
import selectors
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Self

import httpx
import psutil

from tests.servers.site import ROOT
from tests.servers.spawner import Program

START_SECONDS = 90
STOP_SECONDS = 20


def heed_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Installation:
    """The code of this checkout with a database and settings of its own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.printed = ""
        self.environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "chatsite.settings",
            "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
            "HOST": "127.0.0.1",
            "PORT": "0",
            **environment,
        }

    def manage(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        with TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
            program = Program("manage", arguments, self.environment | environment, output, errors)
            try:
                code = program.wait(START_SECONDS)
            finally:
                program.kill()
            output.seek(0), errors.seek(0)
            return subprocess.CompletedProcess(arguments, code, output.read(), errors.read())


class Serving:
    """A running `manage.py serve`. `url` is what it printed, without the last slash."""

    def __init__(self, installation: Installation, **environment: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "manage.py", "serve"],
            cwd=ROOT,
            env=installation.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # A runner may ignore Ctrl-C; a terminal does not.
            preexec_fn=heed_ctrl_c,
        )
        self.output = ""
        self.url = self._wait_for_address()
        self.processes = [
            psutil.Process(self._process.pid),
            *psutil.Process(self._process.pid).children(recursive=True),
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self.processes:
            if process.is_running():
                process.kill()
        self._process.communicate()

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=START_SECONDS)

    def press_ctrl_c(self) -> int:
        """What a terminal does: the whole process group gets it. The exit code."""
        os.killpg(self._process.pid, signal.SIGINT)
        return self._wait()

    def terminate(self) -> int:
        self._process.terminate()
        return self._wait()

    def kill(self) -> int:
        self._process.kill()
        return self._wait()

    def still_running(self) -> list[str]:
        """The command lines of what is left STOP_SECONDS later at most."""
        _, left = psutil.wait_procs(self.processes, timeout=STOP_SECONDS)
        return [" ".join(process.cmdline()) for process in left]

    def _wait(self) -> int:
        rest, _ = self._process.communicate(timeout=STOP_SECONDS)
        self.output += rest.decode()
        return self._process.returncode

    def _wait_for_address(self) -> str:
        assert self._process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while selector.select(timeout=START_SECONDS):
                piece = os.read(self._process.stdout.fileno(), 4096)
                self.output += piece.decode()
                if found := re.search(r"(http://\S+)/\s", self.output):
                    return found[1]
                if not piece:
                    break
        self._process.kill()
        self._process.wait()
        raise AssertionError(f"It did not start:\n{self.output}")
