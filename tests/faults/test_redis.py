"""Redis dies, forgets, falls silent, or the network to it fails: answers go on, and readers in
another process are a little later.
"""

import statistics
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from django.conf import settings

from chat.models import AgentRun
from tests.faults.follower import Follower
from tests.faults.proxy import HALF_OPEN, NONE, Fault, Proxy
from tests.people import PASSWORD, Person
from tests.security.signing_in import try_in
from tests.servers.mcp_server import ScriptedMCPServer
from tests.servers.model_server import ScriptedModelServer
from tests.servers.redis import Redis
from tests.servers.site import Site
from tests.sse import begin, wait_until

pytestmark = pytest.mark.alone

RUNS = 4
LATE_SECONDS = 1
PAGE_SECONDS = 3
TEXT = "[[tokens 150 delay 20]]"
# Longer than Redis is waited for.
LONG_TEXT = "[[tokens 250 delay 20]]"
SOON_SECONDS = 0.1
SIGN_IN_SECONDS = 10


@pytest.fixture(scope="module")
def to_redis(redis: Redis) -> Iterator[Proxy]:
    """The network between the two processes and Redis."""
    with Proxy(redis.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def pair(
    database: None,
    to_redis: Proxy,
    model_server: ScriptedModelServer,
    mcp_server: ScriptedMCPServer,
) -> Iterator[tuple[Site, Site]]:
    environment = {
        "REDIS_URL": f"redis://127.0.0.1:{to_redis.port}/0",
        "LLM_BASE_URL": model_server.base_url,
        # As of all processes on one database.
        "MCP_SERVER_URL": mcp_server.url,
    }
    with Site(**environment) as here, Site(**environment) as there:
        yield here, there


class Readers:
    """Of each run, one in the process that it lives in, and one in the other."""

    def __init__(self, stack: ExitStack, person: Person, pair: tuple[Site, Site]) -> None:
        self._stack = stack
        self._person = person
        self._pair = pair
        self.all: list[tuple[Follower, Follower]] = []

    def ask(self, runs: int = 1, text: str = TEXT) -> None:
        for _ in range(runs):
            with httpx.Client(base_url=self._pair[0].url, headers=self._person.headers) as api:
                run_id = begin(api, text)["run_id"]
            near, far = (
                self._stack.enter_context(Follower(site.url, self._person.headers, run_id))
                for site in self._pair
            )
            self.all.append((near, far))

    def wait_for(self, token: str) -> None:
        wait_until(
            lambda: all(one.has(token) for both in self.all for one in both), 20, f"all see {token}"
        )

    def finish(self) -> None:
        """All answers are whole, and who reads elsewhere was never much later."""
        for near, far in self.all:
            assert near.end().event == far.end().event == "done"
            assert [frame.raw for frame in near.seen] == [frame.raw for frame in far.seen]
            assert max(self.extra(near, far)) <= LATE_SECONDS
            assert AgentRun.objects.get(pk=near.run_id).status == "completed"

    def finish_soon(self) -> None:
        """One more is hardly later elsewhere, from when the two have found each other again."""
        self.ask()
        self.finish()
        late = self.extra(*self.all[-1])
        assert statistics.median(late[len(late) // 2 :]) < SOON_SECONDS

    @staticmethod
    def extra(near: Follower, far: Follower) -> list[float]:
        """How much later each event came elsewhere."""
        return [far.came[number] - came for number, came in near.came.items()]


@pytest.fixture
def readers(alice: Person, pair: tuple[Site, Site]) -> Iterator[Readers]:
    with ExitStack() as stack:
        yield Readers(stack, alice, pair)


def check_pages(person: Person, pair: tuple[Site, Site]) -> None:
    cookies = {settings.SESSION_COOKIE_NAME: person.session_cookie}
    for site in pair:
        with httpx.Client(base_url=site.url, cookies=cookies, timeout=PAGE_SECONDS) as http:
            assert http.get("/").status_code == 200
            assert http.get("/healthz").status_code == 200


def test_redis_forgets_everything_is_killed_and_comes_back(
    alice: Person, pair: tuple[Site, Site], redis: Redis, readers: Readers
) -> None:
    readers.ask(RUNS)
    readers.wait_for("t20 ")
    redis.flush()
    readers.wait_for("t60 ")
    redis.kill()
    readers.ask()
    check_pages(alice, pair)
    readers.finish()

    redis.start()
    readers.finish_soon()


def test_redis_falls_silent(
    alice: Person, pair: tuple[Site, Site], redis: Redis, readers: Readers
) -> None:
    readers.ask(RUNS, LONG_TEXT)
    readers.wait_for("t20 ")
    redis.freeze()
    try:
        readers.ask()
        check_pages(alice, pair)
        readers.finish()
        # None has waited for Redis before its first token.
        near, _ = readers.all[-1]
        assert near.came[2] - near.began <= LATE_SECONDS
    finally:
        redis.thaw()


def test_the_network_to_redis_fails(
    pair: tuple[Site, Site], to_redis: Proxy, readers: Readers
) -> None:
    readers.ask(RUNS, LONG_TEXT)
    readers.wait_for("t20 ")
    to_redis.suffer(Fault(delay_seconds=0.3))
    readers.wait_for("t60 ")
    to_redis.suffer(NONE)
    to_redis.cut()
    readers.wait_for("t80 ")
    to_redis.cut(is_reset=True)
    readers.wait_for("t100 ")
    connections = to_redis.connections
    to_redis.suffer(HALF_OPEN)
    try:
        readers.finish()
        # Those that seem alive and are not were given up.
        assert to_redis.connections > connections
    finally:
        to_redis.suffer(NONE)

    readers.finish_soon()


def test_who_signs_in_hardly_waits_for_a_silent_redis(
    alice: Person, pair: tuple[Site, Site], redis: Redis
) -> None:
    redis.freeze()
    try:
        with httpx.Client(base_url=pair[0].url, timeout=SIGN_IN_SECONDS) as browser:
            assert try_in(browser, alice.username, PASSWORD).status_code == 302
    finally:
        redis.thaw()


def test_without_redis_a_process_can_work(pair: tuple[Site, Site], redis: Redis) -> None:
    redis.kill()
    try:
        ready = httpx.get(f"{pair[0].url}/readyz", timeout=10)
    finally:
        redis.start()
    assert ready.status_code == 200
    assert ready.json()["channel_layer"] != "ok"
