"""Two processes on one database: what lives in one is read and stopped in the other.

What happens when one of them dies is in test_recovery.py.
"""

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from chat.models import AgentRun, Conversation
from tests.faults.follower import Follower
from tests.people import Person
from tests.servers.mcp_server import ScriptedMCPServer
from tests.servers.model_server import ScriptedModelServer
from tests.servers.redis import Redis
from tests.servers.site import Site
from tests.sse import begin, read, text_of

EXTRA_SECONDS = 0.02
STOP_SECONDS = 5
PARALLEL = 20


@pytest.fixture(scope="module")
def pair(
    database: None, model_server: ScriptedModelServer, mcp_server: ScriptedMCPServer, redis: Redis
) -> Iterator[tuple[Site, Site]]:
    environment = {
        "REDIS_URL": redis.url,
        "LLM_BASE_URL": model_server.base_url,
        # As of all processes on one database.
        "MCP_SERVER_URL": mcp_server.url,
    }
    with Site(**environment) as here, Site(**environment) as there:
        yield here, there


@pytest.mark.alone
def test_a_reader_elsewhere_is_hardly_later(alice: Person, pair: tuple[Site, Site]) -> None:
    here, there = pair
    with httpx.Client(base_url=here.url, headers=alice.headers) as api:
        run_id = begin(api, "[[tokens 120 delay 20]]")["run_id"]

    with (
        Follower(here.url, alice.headers, run_id) as near,
        Follower(there.url, alice.headers, run_id) as far,
    ):
        near.end(), far.end()

    assert [frame.raw for frame in near.seen] == [frame.raw for frame in far.seen]
    # Those that were there before the readers came at once to both.
    extra = [far.came[number] - near.came[number] for number in range(50, len(near.seen))]
    print(f"extra p50 {statistics.median(extra) * 1000:.1f} ms, worst {max(extra) * 1000:.1f} ms")
    assert statistics.median(extra) <= EXTRA_SECONDS


def test_an_answer_that_lives_elsewhere_is_read_and_stopped(
    alice: Person, pair: tuple[Site, Site]
) -> None:
    here, there = pair
    with (
        httpx.Client(base_url=here.url, headers=alice.headers, timeout=30) as near,
        httpx.Client(base_url=there.url, headers=alice.headers, timeout=30) as far,
    ):
        started = begin(near, "[[tokens 2000 delay 10]]")
        seen = read(far, started["run_id"], until=lambda frame: "t20 " in frame.data["content"])

        stopped = far.post(f"/api/runs/{started['run_id']}/cancellations/")
        stopped_at = time.monotonic()
        seen += read(far, started["run_id"], after=seen[-1].id)

        assert (stopped.status_code, time.monotonic() - stopped_at < STOP_SECONDS) == (202, True)
        assert seen[-1].data["finish_reason"] == "cancelled"
        assert seen[-1].data["content"] == text_of(seen)
        assert [frame.raw for frame in read(near, started["run_id"])] == [f.raw for f in seen]
    assert AgentRun.objects.get(pk=started["run_id"]).status == "cancelled"


def test_an_answer_that_is_silent_is_stopped_elsewhere_all_the_same(
    alice: Person, pair: tuple[Site, Site]
) -> None:
    here, there = pair
    with httpx.Client(base_url=here.url, headers=alice.headers, timeout=30) as near:
        run_id = begin(near, "[[tokens 2 delay 60000]]")["run_id"]
        with Follower(there.url, alice.headers, run_id) as far:
            httpx.post(f"{there.url}/api/runs/{run_id}/cancellations/", headers=alice.headers)
            asked_at = time.monotonic()
            assert far.end().data["finish_reason"] == "cancelled"
    assert time.monotonic() - asked_at < STOP_SECONDS


def test_equal_posts_at_once_start_one_run(alice: Person, pair: tuple[Site, Site]) -> None:
    headers = alice.headers | {"Idempotency-Key": "once"}

    def post(number: int) -> tuple[int, str]:
        url = f"{pair[number % 2].url}/api/conversations/"
        body = {"message": "[[text Once.]]"}
        response = httpx.post(url, json=body, headers=headers, timeout=30)
        return response.status_code, response.json()["run_id"]

    with ThreadPoolExecutor(PARALLEL) as threads:
        answers = list(threads.map(post, range(PARALLEL)))

    assert len({run_id for _, run_id in answers}) == 1
    assert {status for status, _ in answers} == {201}
    assert AgentRun.objects.filter(owner=alice.user).count() == 1
    assert Conversation.objects.filter(owner=alice.user).count() == 1
