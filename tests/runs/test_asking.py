"""A question is stored and its answer begun as one, whoever leaves meanwhile: the asker, the
process, or the answer before it.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TypeVar

import httpx
import psutil
import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from chat import events
from chat.errors import Restarting, RunActive
from chat.models import ACTIVE_STATUSES, AgentRun, Conversation, RunStatus, questions
from chat.runs import supervisor
from chat.runs.effects import of_ending
from chat.runs.engine import engine
from chat.runs.pool import in_pool
from chat.runs.store import Slice, write
from tests.locks import is_somebody_waiting
from tests.people import Person
from tests.servers.site import STOP_SECONDS, Site
from tests.sse import ask, wait_until

T = TypeVar("T")
# A process that had left a run without a word would be missed after 15 s.
AT_ONCE_SECONDS = 10
LEAVE_AFTER_SECONDS = (0.001, 0.02, 0.1, 1)


@contextmanager
def storage_held(person: Person) -> Iterator[None]:
    """No question can be stored in this person's conversations: on SQLite, none at all."""
    with transaction.atomic():
        Conversation.objects.filter(owner=person.user).update(seen_at=timezone.now())
        yield
    connections.close_all()


def ask_and_leave(person: Person, site: Site, conversation: Conversation, seconds: float) -> None:
    """Whoever waits for no longer than this hangs up."""
    url = f"{site.url}/api/conversations/{conversation.pk}/messages/"
    patience = httpx.Timeout(10, read=seconds)
    with suppress(httpx.ReadTimeout):
        httpx.post(url, json={"message": "Hello"}, headers=person.headers, timeout=patience)


def has_noticed(site: Site) -> bool:
    """No connection is open any more, and what follows from that has been done."""
    assert site.process
    open_ones = psutil.Process(site.process.pid).net_connections()
    if any(one.raddr and one.laddr.port == site.port for one in open_ones):
        return False
    return httpx.get(f"{site.url}/healthz").status_code == 200


def runs_of(person: Person) -> list[tuple[str, int, int]]:
    runs = AgentRun.objects.filter(owner=person.user)
    return list(runs.values_list("status", "lease", "takeovers"))


def all_ended(person: Person) -> bool:
    active = AgentRun.objects.filter(owner=person.user, status__in=ACTIVE_STATUSES)
    return not active.exists()


def test_a_question_whose_asker_has_left_is_answered_or_not_there(
    alice: Person, new_site: Callable[..., Site]
) -> None:
    site = new_site()
    here = [Conversation.objects.create(owner=alice.user) for _ in LEAVE_AFTER_SECONDS]

    with storage_held(alice), ThreadPoolExecutor(len(here)) as threads:
        leaving = zip(here, LEAVE_AFTER_SECONDS, strict=True)
        list(threads.map(lambda one: ask_and_leave(alice, site, *one), leaving))
        wait_until(lambda: has_noticed(site), what="the site knows that they have left")

    with httpx.Client(base_url=site.url, headers=alice.headers) as client:
        ask(client, "Whatever was stored before this is there.")
    wait_until(lambda: all_ended(alice), AT_ONCE_SECONDS, "what is stored comes to its end")
    assert set(runs_of(alice)) == {("completed", 1, 0)}


def test_a_question_that_is_being_stored_while_its_process_leaves_is_answered_by_another(
    alice: Person, new_site: Callable[..., Site]
) -> None:
    leaving = new_site(DRAIN_SECONDS="0")
    assert leaving.process
    here = Conversation.objects.create(owner=alice.user)

    with storage_held(alice):
        ask_and_leave(alice, leaving, here, LEAVE_AFTER_SECONDS[-1])
        leaving.process.terminate()
        wait_until(lambda: not answers(leaving), what="its event loop has come to its end")
    assert leaving.process.wait(STOP_SECONDS) == 0

    wait_until(lambda: all_ended(alice), AT_ONCE_SECONDS, "another process answers at once")
    # Or refused, where the only thread that writes had not come to it yet.
    assert runs_of(alice) in ([("completed", 3, 0)], [])


def answers(site: Site) -> bool:
    try:
        return httpx.get(f"{site.url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


async def test_a_process_that_has_ended_takes_no_questions(alice: Person) -> None:
    house = engine()
    await house.aclose()

    with pytest.raises(Restarting, match=r"The server is restarting\. Please try again"):
        supervisor.check_open()
    with pytest.raises(Restarting):
        await supervisor.begin(lambda: (questions.begin(alice.user, "Hello"), True))

    assert engine() is house
    assert await in_pool(runs_of, alice) == []


def test_a_question_does_not_wait_for_the_answer_that_is_being_ended(alice: Person) -> None:
    run = questions.begin(alice.user, "First", **supervisor.as_ours())
    is_open, may_go_on = threading.Event(), threading.Event()
    done = events.done("", finish_reason="stop", usage={})
    part = Slice(run.pk, 1, 1, rows=[(1, done.kind, done.to_json(), time.time())])
    # The run's row is locked; the conversation's will be.
    part.effects += [
        is_open.set,
        lambda: may_go_on.wait(AT_ONCE_SECONDS) or pytest.fail("nobody went on"),
        of_ending(run, done, RunStatus.COMPLETED, [], ""),
    ]

    with ThreadPoolExecutor(2) as threads:
        ending = threads.submit(closing, lambda: write([part]))
        assert is_open.wait(AT_ONCE_SECONDS)
        second = Conversation.objects.get(pk=run.conversation_id)
        asking = threads.submit(closing, lambda: questions.ask(second, "Second"))
        on_sqlite = connection.vendor == "sqlite"
        wait_until(
            lambda: on_sqlite or asking.done() or is_somebody_waiting(),
            what="the question is at its lock",
        )
        may_go_on.set()

        assert not ending.result(AT_ONCE_SECONDS).lost
        is_asked = outcome(asking)
    # SQLite lets one after the other in: there the answer has ended before.
    assert is_asked == on_sqlite
    assert [status for status, *_ in runs_of(alice)].count("completed") == 1
    # Nobody is to find the second run and answer it.
    second.delete()


def closing(call: Callable[[], T]) -> T:
    try:
        return call()
    finally:
        connection.close()


def outcome(asking: Future[AgentRun]) -> bool:
    try:
        asking.result(AT_ONCE_SECONDS)
    except RunActive:
        return False
    return True
