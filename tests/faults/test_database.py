"""The database is locked, away or full: nothing is shown that is not stored, and answers go on.

Most of this is waiting for nothing to happen, so all of the stories are told at once.
"""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from tests.faults.proxy import HALF_OPEN, MUTE, NONE, RESET, Fault, Proxy
from tests.faults.storage import (
    CLIENT_SECONDS,
    SETTLE_SECONDS,
    Place,
    check_ended,
    check_stored,
    check_whole,
    install,
    stays_quiet,
)
from tests.servers.mcp_server import ScriptedMCPServer
from tests.servers.model_server import ScriptedModelServer
from tests.servers.postgresql import PostgreSQL
from tests.servers.programs import need
from tests.sse import begin, read, wait_until

TROUBLE_SECONDS = 5
# Longer than runs are kept waiting; see PATIENCE_SECONDS of the journal.
LONG_SECONDS = 12
# So long is a connection waited for.
POOL_SECONDS = 10
FULL_SECONDS = 30
# SQLite's own patience is 20.
LOCKED_SECONDS = 40
TEXT = "[[tokens 150 delay 20]]"
WHOLE = "".join(f"t{number} " for number in range(1, 151))
ENDLESS = "[[tokens 3000 delay 20]]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Land:
    """Where new places are founded: each has a database of its own."""

    folder: Path
    cluster: PostgreSQL
    model_url: str
    tools_url: str
    sqlite_token: str
    postgresql_token: str

    def sqlite(self, folder: Path) -> Place:
        folder.mkdir(exist_ok=True)
        shutil.copy(self.folder / "first.sqlite3", folder / "db.sqlite3")
        url = f"sqlite:///{folder}/db.sqlite3"
        return Place(database_url=url, model_url=self.model_url, token=self.sqlite_token)

    @contextmanager
    def postgresql(self, name: str) -> Iterator[tuple[Place, Proxy]]:
        """A place, and the network between it and its database."""
        url = self.cluster.make_database(name, template="first")
        with Proxy(self.cluster.port) as proxy:
            url = url.replace(f":{self.cluster.port}/", f":{proxy.port}/")
            token = self.postgresql_token
            yield Place(database_url=url, model_url=self.model_url, token=token), proxy


def sqlite_is_locked_for_a_while(land: Land) -> None:
    place = land.sqlite(land.folder / "while")
    with place.client() as client, place.reader(client, TEXT) as reader:
        with locked(place):
            stays_quiet(reader, TROUBLE_SECONDS)
        check_whole(client, reader, WHOLE)


def sqlite_is_locked_for_too_long(land: Land) -> None:
    place = land.sqlite(land.folder / "long")
    with place.client() as client, place.reader(client, ENDLESS) as reader:
        with locked(place):
            stays_quiet(reader, LONG_SECONDS)
        check_ended(client, reader)


def the_machine_stands_still_while_sqlite_is_locked(land: Land) -> None:
    place = land.sqlite(land.folder / "still")
    with (
        place.site() as site,
        place.client_of(site) as client,
        place.reader(client, TEXT) as reader,
    ):
        assert site.process
        with locked(place):
            stays_quiet(reader, SETTLE_SECONDS)
            os.kill(site.process.pid, signal.SIGSTOP)
            assert not reader.gets_more(LONG_SECONDS)
            os.kill(site.process.pid, signal.SIGCONT)
            # All of its timers are overdue; it has waited for the database for two seconds.
            assert not reader.gets_more(1)
        check_whole(client, reader, WHOLE)


@contextmanager
def locked(place: Place) -> Iterator[None]:
    """Another writer is at it, and takes its time."""
    with closing(sqlite3.connect(file_of(place), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def file_of(place: Place) -> str:
    return place.database_url.removeprefix("sqlite:///")


def postgresql_is_away_for_a_while(land: Land) -> None:
    with (
        land.postgresql("while") as (place, network),
        place.client() as client,
        place.reader(client, TEXT) as reader,
    ):
        network.suffer(RESET)
        network.cut()
        stays_quiet(reader, TROUBLE_SECONDS)
        network.suffer(NONE)
        check_whole(client, reader, WHOLE)


def postgresql_is_away_for_too_long(land: Land) -> None:
    with (
        land.postgresql("long") as (place, network),
        place.client() as client,
        place.reader(client, ENDLESS) as reader,
    ):
        network.suffer(RESET)
        network.cut()
        stays_quiet(reader, LONG_SECONDS - POOL_SECONDS)
        refused = client.post("/api/conversations/", json={"message": "?"})
        assert (refused.status_code, refused.json()["code"]) == (503, "STORAGE")
        page = anybodys_page(client)
        assert (page.status_code, page.headers["Retry-After"]) == (503, "10")
        assert "<h1>Die Datenbank ist weg</h1>" in page.text
        stays_quiet(reader, SETTLE_SECONDS)
        network.suffer(NONE)
        check_ended(client, reader)


def anybodys_page(client: httpx.Client) -> httpx.Response:
    """A page for which the database is asked who is there."""
    headers = {"Accept-Language": "de", "Cookie": f"{settings.SESSION_COOKIE_NAME}={'x' * 32}"}
    return httpx.get(client.base_url, headers=headers, timeout=CLIENT_SECONDS)


def the_network_to_postgresql_fails(land: Land) -> None:
    with (
        land.postgresql("network") as (place, network),
        place.client() as client,
        place.reader(client, TEXT) as reader,
    ):
        network.suffer(Fault(delay_seconds=0.2))
        reader.waits_for("t50 ")
        network.suffer(NONE)
        network.cut()
        reader.waits_for("t80 ")
        network.suffer(HALF_OPEN)
        stays_quiet(reader, 1)
        network.suffer(MUTE)
        # What was said to the database, and perhaps done, is never answered.
        network.cut(is_reset=True)
        network.suffer(NONE)
        check_whole(client, reader, WHOLE)


def the_disk_is_full(land: Land) -> None:
    with small_disk(land.folder / "disk") as disk:
        place = land.sqlite(disk)
        with place.client() as client, place.reader(client, ENDLESS) as reader:
            fill(disk)
            # There may be room in the write-ahead log, now and then, for some seconds.
            wait_until(lambda: not reader.gets_more(TROUBLE_SECONDS), FULL_SECONDS, "it is full")
            refused = client.post("/api/conversations/", json={"message": "?"})
            assert (refused.status_code, refused.json()["code"]) == (503, "STORAGE")
            assert client.get("/healthz").status_code == 200

            (disk / "ballast").unlink()
            assert reader.gets_more(TROUBLE_SECONDS), "it goes on"
            client.post(f"/api/runs/{reader.run_id}/cancellations/")
            assert reader.end().data.get("finish_reason") == "cancelled"
            check_stored(client, reader, "cancelled")
        with closing(sqlite3.connect(file_of(place))) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here; it takes root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path) -> None:
    ballast = (disk / "ballast").open("wb", buffering=0)
    with ballast, contextlib.suppress(OSError):
        while ballast.write(bytes(4096)):
            pass


def an_answer_that_failed_is_stopped_before_its_end_is_stored(land: Land) -> None:
    place = replace(land.sqlite(land.folder / "stopped"), tools_url=land.tools_url)
    with place.site() as site, place.client_of(site) as client:
        run_id = begin(client, '[[call wipe {"path": "/a"}]][[then]][[text Done.]]')["run_id"]
        read(client, run_id, until=lambda frame: frame.event == "approval_required")
        with closing(sqlite3.connect(file_of(place), isolation_level=None)) as other:
            other.execute("UPDATE chat_approval SET expires_at = ?", [str(timezone.now())[:-6]])
            other.execute("BEGIN IMMEDIATE")
            # That nobody had decided in time cannot be stored; nor can what follows from that.
            wait_until(lambda: "could not be gone on with" in site.log, LOCKED_SECONDS)
            other.execute("UPDATE chat_agentrun SET cancel_requested_at = heartbeat_at")
            other.execute("COMMIT")
        end = read(client, run_id)[-1]
        assert (end.event, end.data["code"]) == ("error", "STORAGE")
        assert client.get(f"/api/runs/{run_id}/").json()["status"] == "failed"


STORIES = [
    an_answer_that_failed_is_stopped_before_its_end_is_stored,
    sqlite_is_locked_for_a_while,
    sqlite_is_locked_for_too_long,
    the_machine_stands_still_while_sqlite_is_locked,
    postgresql_is_away_for_a_while,
    postgresql_is_away_for_too_long,
    the_network_to_postgresql_fails,
    the_disk_is_full,
]
Story = Callable[[Land], None]


@pytest.fixture(scope="module")
def told(
    tmp_path_factory: pytest.TempPathFactory,
    model_server: ScriptedModelServer,
    mcp_server: ScriptedMCPServer,
) -> Iterator[dict[Story, Future[None]]]:
    need("initdb", "postgres")
    # One of them looks at a page.
    call_command("collectstatic", interactive=False, verbosity=0)
    folder = tmp_path_factory.mktemp("database")
    with PostgreSQL() as cluster, ThreadPoolExecutor(len(STORIES)) as threads:
        urls = [f"sqlite:///{folder}/first.sqlite3", cluster.make_database("first")]
        sqlite_token, postgresql_token = threads.map(install, urls)
        land = Land(
            folder=folder,
            cluster=cluster,
            model_url=model_server.base_url,
            tools_url=mcp_server.url,
            sqlite_token=sqlite_token,
            postgresql_token=postgresql_token,
        )
        yield {story: threads.submit(story, land) for story in STORIES}


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_when(story: Story, told: dict[Story, Future[None]]) -> None:
    told[story].result()
