"""Starts Python programs quickly: as forks of a process that has loaded the libraries already.

Most of a start of the product is loading code, and tests start it hundreds of times. Of the
product only the lower layers are loaded before the fork, which know neither Django nor a setting
(tests/test_layers.py); no setting is read and no thread is started: what a program does from its
first own line on is what it does under `python -m`. It is killed when the tests that started it are
gone.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from pkgutil import walk_packages
from signal import Signals
from typing import IO, Any

ORDER_BYTES = 1 << 18
LIBRARIES = [
    "aiohttp",
    "allauth.core.internal.ratelimit",
    "asgiref.typing",
    "autobahn.twisted.websocket",
    "channels.auth",
    "channels.generic.websocket",
    "cryptography.fernet",
    "csp.middleware",
    "django.contrib.admin.options",
    "django.contrib.admin.views.main",
    "django.contrib.auth.hashers",
    "django.contrib.auth.password_validation",
    "django.contrib.contenttypes.management",
    "django.contrib.staticfiles.finders",
    "django.contrib.staticfiles.storage",
    "django.core.handlers.asgi",
    "django.core.management",
    "django.db.backends.sqlite3.base",
    "django.db.migrations.executor",
    "django.forms",
    "django.middleware.common",
    "django.middleware.gzip",
    "django.middleware.security",
    "django.template.loader",
    "django.views.decorators.csrf",
    "django.views.generic",
    "environ",
    "httpx",
    "httpx_aiohttp",
    "jsonschema",
    "jwt",
    "mcp",
    "mcp.client.auth",
    "packaging.version",
    "prometheus_client",
    "psycopg_pool",
    "redis.asyncio",
    "requests",
    "servestatic.media_types",
    "smtplib",
    "truststore",
    "twisted.cred.credentials",
    "twisted.internet.posixbase",
    "twisted.web.http",
]
LOWER_LAYERS = [
    "chat.tools",
    "chat.steps",
    "chat.events",
    "chat.mcp",
    "chat.providers",
    "chat.agent",
]


class Program:
    """A running program, much like subprocess.Popen. `returncode` as there, once it is known."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log: IO[Any],
        errors: IO[Any] | None = None,
    ) -> None:
        self.returncode: int | None = None
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        order = json.dumps([module, *arguments, dict(environment)]).encode()
        handles = [theirs.fileno(), log.fileno(), (errors or log).fileno()]
        with theirs:
            socket.send_fds(_spawner(), [order], handles)
        self.pid = int(self._line.recv(32))

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._line], [], [], 0)[0]:
            self._end()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._line], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self._end()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _end(self) -> None:
        self.returncode = int(self._line.recv(32) or -signal.SIGKILL)
        self._line.close()


@cache
def _spawner() -> socket.socket:
    """Where orders are sent to; one for the whole life of this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-m", "tests.servers.spawner", str(theirs.fileno())]
        spawner = subprocess.Popen(
            command, cwd=Path(__file__).parents[2], pass_fds=[theirs.fileno()]
        )
    atexit.register(lambda: (ours.close(), spawner.wait()))
    return ours


def main(orders: socket.socket) -> None:
    for name in [*LIBRARIES, *LOWER_LAYERS]:
        module = importlib.import_module(name)
        if name in LOWER_LAYERS:
            for part in walk_packages(getattr(module, "__path__", []), f"{name}."):
                importlib.import_module(part.name)
    # What is loaded here is nothing that a program would have to look through for garbage.
    gc.freeze()
    # Nobody waits for those who keep the programs; a Ctrl-C is for the tests, which then hang up.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        order, handles, _, _ = socket.recv_fds(orders, ORDER_BYTES, 3)
        if not order:
            return
        if os.fork() == 0:
            orders.close()
            line, log, errors = handles
            keep([*json.loads(order), log, errors], socket.socket(fileno=line))
            return
        for handle in handles:
            os.close(handle)


def keep(order: list[Any], line: socket.socket) -> None:
    """Have a child of ours be the program; tell its id, and in the end its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        line.close()
        be(*order)
        return
    line.send(b"%d" % pid)
    ended = os.pidfd_open(pid)
    if ended not in select.select([ended, line], [], [])[0]:
        os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(BrokenPipeError):
        line.send(b"%d" % code)
    # Nothing of ours is to be tidied up.
    os._exit(0)


def be(*order: Any) -> None:
    """Become the program."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    module, *arguments, environment, log, errors = order
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(errors, 2)
    os.closerange(3, 1024)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
