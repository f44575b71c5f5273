"""PostgreSQL for tests: a private cluster in a temporary folder, on a free port."""

import shutil
import signal
import subprocess
from types import TracebackType
from typing import Self

import psycopg

from tests.servers.programs import find, folder_of, unprivileged
from tests.servers.site import free_port
from tests.sse import wait_until

START_SECONDS = 30
STOP_SECONDS = 30
# Nothing here outlives the machine; the logs of statements that fail are nobody's.
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "max_connections": "200",
    "log_min_messages": "fatal",
}


def make_database(url: str, name: str, template: str = "template1") -> str:
    """The URL of a new database on the server at `url`."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
    return f"{url.rpartition('/')[0]}/{name}"


class PostgreSQL:
    """`url` answers within the block, but while it is stopped or frozen."""

    def __init__(self) -> None:
        self._user = unprivileged()
        self._folder = folder_of("ferryline-postgresql-", self._user)
        self.port = free_port()
        self.url = f"postgres://ferryline@127.0.0.1:{self.port}/postgres"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        options = ["--username=ferryline", "--auth=trust", "--no-sync", "--encoding=UTF8"]
        self._run("initdb", *options, "--locale=C.UTF-8", "--pgdata", str(self._folder))
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Return when it answers."""
        options = [f"--{name}={value}" for name, value in OPTIONS.items()]
        place = ["-D", str(self._folder), "-p", str(self.port)]
        self._process = subprocess.Popen(
            [str(find("postgres")), *place, *options],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self._user,
        )
        wait_until(self._answers, START_SECONDS, "PostgreSQL answers")

    def stop(self) -> None:
        """Break all connections and end, in order."""
        assert self._process
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        self._process.wait(STOP_SECONDS)

    def make_database(self, name: str, template: str = "template1") -> str:
        """Its URL. It begins as a copy of `template`, which nobody may use meanwhile."""
        return make_database(self.url, name, template)

    def _run(self, name: str, *arguments: str) -> None:
        command = [str(find(name)), *arguments]
        subprocess.run(
            command, cwd=self._folder, check=True, stdout=subprocess.DEVNULL, **self._user
        )

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True
