"""Readers of a run whose log in this process is no longer the run's: they wait as others do."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import pytest
from django.contrib.auth import get_user_model
from django.db import connections

from chat import events
from chat.errors import RunLost
from chat.events import ChatEvent
from chat.models import AgentRun, questions
from chat.runs import supervisor
from chat.runs.engine import Engine, engine
from chat.runs.feed import follow
from chat.runs.pool import in_pool, in_writer
from chat.runs.store import Slice, write

pytestmark = pytest.mark.usefixtures("database")

WATCHED_SECONDS = 1
MAX_LOAD = 0.3
READ_SECONDS = 10


@pytest.fixture
async def house() -> AsyncIterator[Engine]:
    """Without its heartbeat, which would tell the log that it is not the run's any more."""
    yield engine()
    await engine().aclose()


def taken_over() -> AgentRun:
    """A run that has begun here; another process has gone on with it, up to event 3."""
    owner, _ = get_user_model().objects.get_or_create(username="feed")
    run = questions.begin(owner, "?", **supervisor.as_ours())
    AgentRun.objects.filter(pk=run.pk).update(lease=2)
    connections.close_all()
    return run


def store(run: AgentRun, *stored: ChatEvent) -> None:
    """As the other process does."""
    first = AgentRun.objects.get(pk=run.pk).last_seq + 1
    rows = [
        (number, event.kind, event.to_json(), time.time())
        for number, event in enumerate(stored, first)
    ]
    write([Slice(run.pk, 2, rows[-1][0], rows=rows)])


async def not_noticed(house: Engine, run: AgentRun) -> None:
    house.journal.open(run.pk, 1, 1)


async def noticed(house: Engine, run: AgentRun) -> None:
    log = house.journal.open(run.pk, 1, 1)
    with suppress(RunLost):
        await house.journal.append(log, events.notice("not ours", code="X"))
    assert log.failure


async def never_here(house: Engine, run: AgentRun) -> None:
    assert house.journal.log(run.pk) is None


@pytest.mark.parametrize("has_lost", [not_noticed, noticed, never_here])
async def test_a_reader_of_a_run_that_lives_elsewhere_costs_next_to_nothing(
    house: Engine, has_lost: Callable[[Engine, AgentRun], asyncio.Future[None]]
) -> None:
    run = await in_writer(taken_over)
    await in_writer(store, run, events.content("1"), events.content("2"), events.content("3"))
    await has_lost(house, run)

    async def read() -> bytes:
        return b"".join([frames async for frames in follow(run.pk, 2)])

    reading = asyncio.create_task(read())
    begun = time.process_time()
    await asyncio.wait({reading}, timeout=WATCHED_SECONDS)
    assert time.process_time() - begun < MAX_LOAD * WATCHED_SECONDS

    await in_writer(store, run, events.notice("news", code="X"))
    await in_pool(AgentRun.objects.filter(pk=run.pk).update, status="completed")
    house.journal.beat({run.pk})
    assert (await asyncio.wait_for(reading, READ_SECONDS)).count(b"\n\n") == 2
