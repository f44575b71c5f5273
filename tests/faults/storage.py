"""An installation with a database of its own, for tests that break what it stands on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.faults.follower import Follower
from tests.prepared import migrate
from tests.servers.site import Site
from tests.sse import begin, frames, wait_until
from tests.start.steps import Installation

CLIENT_SECONDS = 90
SETTLE_SECONDS = 0.5
SETUP = """
from django.core.management import call_command
call_command("createsuperuser", "--noinput", username="alice", email="a@example.test", verbosity=0)
call_command("create_api_token", "alice")
from django.db import connections
connections.close_all()
"""


def install(database_url: str) -> str:
    """Prepare a database; the token of somebody in it."""
    migrate(database_url)
    environment = {"DATABASE_URL": database_url, "DJANGO_SUPERUSER_PASSWORD": "x y z 1 2 3"}
    done = Installation(Path("/nowhere"), **environment).manage(
        "shell", "--no-imports", "-c", SETUP
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A database, the model, tools, and somebody's token."""

    database_url: str
    model_url: str
    token: str
    tools_url: str = ""

    @contextmanager
    def client(self) -> Iterator[httpx.Client]:
        """One who speaks to a new process."""
        with self.site() as site, self.client_of(site) as client:
            yield client

    def site(self) -> Site:
        """A new process; there is no Redis."""
        return Site(
            DATABASE_URL=self.database_url,
            LLM_BASE_URL=self.model_url,
            MCP_SERVER_URL=self.tools_url,
            REDIS_URL="",
        )

    def client_of(self, site: Site) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=site.url, headers=headers, timeout=CLIENT_SECONDS)

    @contextmanager
    def reader(self, client: httpx.Client, question: str) -> Iterator[Follower]:
        """Somebody who reads a new answer, and has read some of it."""
        run_id = begin(client, question)["run_id"]
        headers = {"Authorization": f"Bearer {self.token}"}
        with Follower(str(client.base_url), headers, run_id) as reader:
            reader.waits_for("t20 ")
            yield reader


def stays_quiet(reader: Follower, seconds: float) -> None:
    """What was stored before has come; from then on there is nothing, for so long."""
    wait_until(lambda: not reader.gets_more(SETTLE_SECONDS), 10, "nothing more comes")
    assert not reader.gets_more(seconds), "something was shown that cannot be stored"


def check_whole(client: httpx.Client, reader: Follower, text: str) -> None:
    """It ended well, and what was shown is what is stored."""
    assert reader.end().data.get("content") == text
    check_stored(client, reader, "completed")


def check_ended(client: httpx.Client, reader: Follower) -> None:
    """It ended in failure and says why, and what was shown is what is stored."""
    end = reader.end()
    assert (end.event, end.data.get("code")) == ("error", "STORAGE"), end
    check_stored(client, reader, "failed")


def check_stored(client: httpx.Client, reader: Follower, status: str) -> None:
    with client.stream("GET", f"/api/runs/{reader.run_id}/events/?after=0") as response:
        assert [f.raw for f in frames(response)] == [frame.raw for frame in reader.seen]
    assert client.get(f"/api/runs/{reader.run_id}/").json()["status"] == status
