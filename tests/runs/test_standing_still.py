"""Several processes on PostgreSQL: one stands still, a row stays locked, a clock is wrong.

One process stands still with SIGSTOP, as a machine does that swaps, sleeps or is moved.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import psycopg
import pytest
from django.db import connection

from chat.models import AgentRun, ToolRun
from tests.faults.follower import Follower
from tests.people import Person
from tests.servers.mcp_server import ScriptedMCPServer
from tests.servers.site import Site
from tests.sse import begin, read, text_of, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="for machines on one database, and locked rows"
    ),
]
TAKEN_SECONDS = 30
AT_ONCE_SECONDS = 10
TRIES = 400
# Longer than a run waits for the database.
LOCKED_SECONDS = 15
LOCKED_FOR_A_WHILE_SECONDS = 6
LONG = "[[tokens 2000 delay 20]]"
IN_A_TOOL = f'[[call slow {{"seconds": 100, "steps": 400}}]][[then]]{LONG}'
# Sessions that stand still within a transaction that has changed something.
HOLDING = """
SELECT count(*) FROM pg_stat_activity AS session JOIN pg_locks AS held USING (pid)
WHERE session.state = 'idle in transaction' AND session.datname = current_database()
  AND held.locktype = 'transactionid' AND held.granted AND now() - state_change > '0.1 s'
"""


@contextmanager
def still(site: Site) -> Iterator[None]:
    assert site.process
    os.kill(site.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(site.process.pid, signal.SIGCONT)


@contextmanager
def database() -> Iterator[psycopg.Connection]:
    """A connection of an admin's own."""
    connection.ensure_connection()
    parameters = connection.get_connection_params()
    keys = ("host", "port", "user", "password", "dbname")
    with psycopg.connect(**{key: parameters[key] for key in keys if key in parameters}) as admin:
        yield admin


def client(site: Site, person: Person) -> httpx.Client:
    return httpx.Client(base_url=site.url, headers=person.headers, timeout=AT_ONCE_SECONDS)


def lease(run_id: str) -> int:
    return AgentRun.objects.get(pk=run_id).lease


def state_of_call(run_id: str) -> str:
    return ToolRun.objects.get(run=run_id).state


def test_a_row_that_somebody_keeps_locked_holds_up_that_run_alone(
    alice: Person, bob: Person
) -> None:
    locked, other = (begin(person.api, LONG)["run_id"] for person in (alice, bob))
    with (
        Follower(alice.site.url, bob.headers, other) as reader,
        Follower(alice.site.url, alice.headers, locked) as waiting,
        database() as admin,
    ):
        waiting.waits_for("t20 ")
        admin.execute("SELECT 1 FROM chat_agentrun WHERE id = %s FOR UPDATE", [locked])
        seen = len(reader.seen)
        admin.execute("SELECT pg_sleep(%s)", [LOCKED_SECONDS])
        assert len(reader.seen) > seen + 50
        admin.rollback()
        ending = waiting.end()
        bob.api.post(f"/api/runs/{other}/cancellations/")
        assert reader.end().event == "done"
    assert (ending.event, ending.data["code"]) == ("error", "STORAGE")


def test_a_row_that_is_locked_for_a_while_costs_its_run_that_while(alice: Person) -> None:
    locked = begin(alice.api, "[[tokens 300 delay 20]]")["run_id"]
    with (
        Follower(alice.site.url, alice.headers, locked) as waiting,
        database() as admin,
    ):
        waiting.waits_for("t20 ")
        admin.execute("SELECT 1 FROM chat_agentrun WHERE id = %s FOR UPDATE", [locked])
        seen = len(waiting.seen)
        # What the model says meanwhile waits in memory, behind what is being tried.
        admin.execute("SELECT pg_sleep(%s)", [LOCKED_FOR_A_WHILE_SECONDS])
        assert len(waiting.seen) <= seen + 1
        admin.rollback()
        ending = waiting.end()

    assert ending.event == "done"
    assert ending.data["content"].split() == [f"t{number}" for number in range(1, 301)]
    assert text_of(waiting.seen) == ending.data["content"]
    assert alice.site.log.count(f"Run {locked} waits") == 1
    assert AgentRun.objects.get(pk=locked).takeovers == 0


def test_one_that_stands_still_in_a_transaction_is_taken_over_and_holds_up_nobody(
    alice: Person, bob: Person, new_site: Callable[..., Site]
) -> None:
    here, there = new_site(), new_site()
    with client(here, alice) as api, client(there, bob) as bobs, database() as admin:
        admin.autocommit = True
        run_id = begin(api, "[[tokens 4000 delay 5]]")["run_id"]
        for _ in range(TRIES):
            with still(here):
                admin.execute("SELECT pg_sleep(0.15)")
                (count,) = admin.execute(HOLDING).fetchone() or (0,)
                if not count:
                    continue
                wait_until(lambda: lease(run_id) > 1, TAKEN_SECONDS, "somebody takes it over")
                with client(there, alice) as elsewhere:
                    asked = elsewhere.post(f"/api/runs/{run_id}/cancellations/")
                    assert asked.status_code == 202
                assert (
                    bobs.post("/api/conversations/", json={"message": "Hello"}).status_code == 201
                )
            return
    pytest.fail("It never stood still within a transaction.")


def test_what_is_left_of_a_lost_run_ends_and_its_process_may_have_it_back(
    alice: Person, new_site: Callable[..., Site], mcp_server: ScriptedMCPServer
) -> None:
    there = new_site(DRAIN_SECONDS="0")
    mcp_server.cancelled.clear()
    run_id = begin(alice.api, IN_A_TOOL)["run_id"]
    # Then it is at the server: one that is not yet is sent and taken back in one go.
    read(alice.api, run_id, until=lambda frame: frame.event == "tool_progress")
    with still(alice.site):
        wait_until(lambda: state_of_call(run_id) == "lost", TAKEN_SECONDS, "it is taken over")

    wait_until(lambda: "was taken over" in alice.site.log, AT_ONCE_SECONDS, "it is left")
    wait_until(lambda: "slow" in mcp_server.cancelled, AT_ONCE_SECONDS, "the tool is cancelled")
    before = lease(run_id)
    there.stop()

    # Given up under a new lease, and taken under another.
    wait_until(lambda: lease(run_id) == before + 2, AT_ONCE_SECONDS, "the first has it again")
    alice.api.post(f"/api/runs/{run_id}/cancellations/")
    assert read(alice.api, run_id)[-1].data["finish_reason"] == "cancelled"


@pytest.mark.parametrize("seconds", [-60, 60])
def test_a_clock_that_is_wrong_makes_nobody_dead(
    alice: Person, new_site: Callable[..., Site], seconds: int
) -> None:
    wrong = new_site(DJANGO_SETTINGS_MODULE="tests.servers.skewed", CLOCK_SKEW_SECONDS=str(seconds))
    question = '[[call slow {"seconds": 6, "steps": 60}]][[then]][[text Well.]]'
    with client(wrong, alice) as api:
        runs = {
            begin(api, question)["run_id"]: api,
            begin(alice.api, question)["run_id"]: alice.api,
        }
        for run_id, at in runs.items():
            assert read(at, run_id)[-1].event == "done"

    assert [AgentRun.objects.get(pk=run_id).takeovers for run_id in runs] == [0, 0]
    states = ToolRun.objects.filter(run__in=runs).values_list("state", flat=True)
    assert list(states) == ["ok", "ok"]
