"""The journal: numbered without a hole, durable before visible, one ending, one owner."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, connections
from django.utils import timezone

from chat import events
from chat.errors import ChatError, RunLost, StorageAway
from chat.models import AgentRun, Conversation, RunEvent, RunStatus, ToolRun
from chat.runs.journal import Journal
from chat.runs.pool import in_pool, in_writer
from chat.runs.recorder import Recorder
from chat.runs.store import Slice, write, write_again
from chat.tools import ToolCall
from tests.people import nobody_goes_on

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    journal = Journal(on_cancel_requested=lambda run_id: None)
    yield journal
    await journal.aclose()
    await in_pool(nobody_goes_on, await in_pool(owner))


def owner() -> Any:
    return get_user_model().objects.get_or_create(username="journal")[0]


def running(count: int) -> list[AgentRun]:
    theirs = {"owner": owner()}
    runs = []
    for _ in range(count):
        conversation = Conversation.objects.create(**theirs)
        message = conversation.messages.create(role="user", content="?")
        runs.append(
            AgentRun.objects.create(
                **theirs,
                conversation=conversation,
                message=message,
                status=RunStatus.RUNNING,
                lease=1,
                model_name="none",
            )
        )
    connections.close_all()
    return runs


def stored(run_id: UUID) -> list[events.ChatEvent]:
    return [row.to_event() for row in RunEvent.objects.filter(run_id=run_id).order_by("seq")]


def text_of(rows: list[events.ChatEvent]) -> str:
    return "".join(row.data["content"] for row in rows if row.kind == events.Kind.CONTENT)


async def test_every_token_of_many_runs_is_stored_in_order(journal: Journal) -> None:
    runs = await in_pool(running, 30)

    async def answer(run: AgentRun) -> None:
        recorder = Recorder(journal, run)
        for number in range(200):
            await recorder.record(events.content(f"{run.pk.hex[:4]}.{number} "))
            if number % 20 == 0:
                await asyncio.sleep(0.001)
        await recorder.record(events.done("the end", finish_reason="stop", usage={}))

    await asyncio.gather(*(answer(run) for run in runs))

    for run in runs:
        rows = await in_pool(stored, run.pk)
        assert [row.number for row in rows] == list(range(1, len(rows) + 1))
        assert text_of(rows) == "".join(f"{run.pk.hex[:4]}.{n} " for n in range(200))
        assert rows[-1].kind == events.Kind.DONE
        fresh = await in_pool(AgentRun.objects.get, pk=run.pk)
        assert (fresh.status, fresh.last_seq) == (RunStatus.COMPLETED, len(rows))


async def test_neighbouring_deltas_are_one_event(journal: Journal) -> None:
    (run,) = await in_pool(running, 1)
    recorder = Recorder(journal, run)

    for word in ("one ", "two ", "three"):
        await recorder.record(events.content(word))
    await recorder.record(events.done("", finish_reason="stop", usage={}))

    rows = await in_pool(stored, run.pk)
    assert [row.kind for row in rows] == ["content", "done"]
    assert rows[0].data == {"content": "one two three"}


async def test_what_is_shown_is_in_the_database(journal: Journal) -> None:
    (run,) = await in_pool(running, 1)
    recorder = Recorder(journal, run)
    log = journal.log(run.pk)
    assert log

    for number in range(50):
        await recorder.record(events.content(str(number)))
        await log.wait(1)
        shown = log.frames_after(0) or []
        rows = await in_pool(stored, run.pk)
        assert [row.to_sse().encode() for row in rows][: len(shown)] == shown


async def test_a_commit_does_not_wait_behind_a_crowd_of_other_writes(journal: Journal) -> None:
    (run,) = await in_pool(running, 1)
    recorder = Recorder(journal, run)

    is_stored = RunEvent.objects.filter(run=run).exists
    crowd = [asyncio.create_task(in_writer(is_stored)) for _ in range(100)]
    await recorder.record(events.notice("among them", code="X"))

    assert (await asyncio.gather(*crowd)).count(False) < 20


async def test_a_stale_lease_writes_nothing(journal: Journal) -> None:
    (run,) = await in_pool(running, 1)
    recorder = Recorder(journal, run)
    await recorder.record(events.notice("mine", code="X"))

    await in_pool(AgentRun.objects.filter(pk=run.pk).update, lease=2)
    with pytest.raises(RunLost):
        await recorder.record(events.notice("not mine any more", code="X"))

    assert len(await in_pool(stored, run.pk)) == 1


async def test_the_same_process_under_a_new_lease_forgets_the_old_one(journal: Journal) -> None:
    (run,) = await in_pool(running, 1)
    before = Recorder(journal, run)
    await in_pool(AgentRun.objects.filter(pk=run.pk).update, lease=2)
    await before.record(events.content("queued for the next write, as is what follows"))

    run.lease = 2
    now = Recorder(journal, run)
    journal.beat({run.pk})
    async with asyncio.timeout(5):
        while not (await in_pool(AgentRun.objects.get, pk=run.pk)).heartbeat_at:
            await asyncio.sleep(0.01)
    await now.record(events.notice("under the new lease", code="X"))
    with pytest.raises(RunLost):
        await before.record(events.notice("too late", code="X"))
    await now.record(events.done("", finish_reason="stop", usage={}))

    assert [row.kind for row in await in_pool(stored, run.pk)] == ["notice", "done"]


async def test_cancelled_writers_leave_no_hole(journal: Journal) -> None:
    chance = random.Random(7)
    runs = await in_pool(running, 60)

    async def answer(run: AgentRun) -> None:
        recorder = Recorder(journal, run)
        try:
            while True:
                await recorder.record(events.content("x"))
                await recorder.record(events.notice("n", code="X"))
        except asyncio.CancelledError:
            await recorder.end(events.done("", finish_reason="cancelled", usage={}))

    tasks = [asyncio.create_task(answer(run)) for run in runs]
    for task in tasks:
        await asyncio.sleep(chance.random() * 0.01)
        task.cancel()
    await asyncio.gather(*tasks)

    for run in runs:
        rows = await in_pool(stored, run.pk)
        assert [row.number for row in rows] == list(range(1, len(rows) + 1))
        assert [row.kind for row in rows].count("done") == 1


async def test_a_run_that_cannot_be_stored_costs_only_itself(journal: Journal) -> None:
    good, bad = await in_pool(running, 2)
    healthy = Recorder(journal, good)
    log = journal.open(bad.pk, 1, 0)

    def poison() -> None:
        raise IntegrityError("poison")

    results = await asyncio.gather(
        journal.append(log, events.notice("bad", code="X"), poison),
        healthy.record(events.notice("good", code="X")),
        return_exceptions=True,
    )

    assert isinstance(results[0], ChatError)
    assert results[1] is None
    assert await in_pool(stored, bad.pk) == []
    assert len(await in_pool(stored, good.pk)) == 1


async def test_a_write_whose_answer_was_lost_is_not_written_twice(journal: Journal) -> None:
    run, other = await in_pool(running, 2)
    part = Slice(run.pk, 1, 1, rows=[(1, events.Kind.CONTENT, '{"content": "once"}', time.time())])
    lost = Slice(other.pk, 7, 1, rows=part.rows)

    first = await in_pool(write, [part, lost])
    again = await in_pool(write_again, [part, lost])

    assert first.lost == again.lost == {other.pk}
    assert text_of(await in_pool(stored, run.pk)) == "once"


async def test_the_database_allows_one_ending(journal: Journal) -> None:
    (run,) = await in_pool(running, 1)
    recorder = Recorder(journal, run)
    await recorder.record(events.done("", finish_reason="stop", usage={}))
    await recorder.record(events.error("too late", code="INTERNAL"))

    assert [row.kind for row in await in_pool(stored, run.pk)] == ["done"]
    data = json.dumps({"message": "", "code": "X"})
    row = RunEvent(run_id=run.pk, seq=9, kind="error", data=data, created_at=timezone.now())
    with pytest.raises(IntegrityError):
        await in_pool(row.save, force_insert=True)


async def test_a_request_to_cancel_reaches_the_owner_with_its_next_write() -> None:
    run, other = await in_pool(running, 2)
    asked: list[UUID] = []
    journal = Journal(on_cancel_requested=asked.append)
    journal.open(run.pk, 1, 0)
    journal.open(other.pk, 1, 0)
    await in_pool(AgentRun.objects.filter(pk=run.pk).update, cancel_requested_at=timezone.now())

    journal.beat({run.pk, other.pk})
    await journal.aclose()

    assert asked == [run.pk]


async def test_a_run_whose_task_is_gone_shows_no_sign_of_life(journal: Journal) -> None:
    run, other = await in_pool(running, 2)
    for each in (run, other):
        journal.open(each.pk, 1, 0)

    journal.beat({run.pk})
    await journal.aclose()

    heartbeats = AgentRun.objects.filter(pk__in=[run.pk, other.pk], heartbeat_at=None)
    assert [each.pk for each in await in_pool(list, heartbeats)] == [other.pk]


async def test_storage_that_was_away_keeps_no_run_from_its_ending(journal: Journal) -> None:
    first, second = await in_pool(running, 2)
    call = ToolCall(id="c1", name="t", arguments={})
    recorders = [Recorder(journal, run) for run in (first, second)]
    await recorders[1].record(events.tool_calls([call], iteration=1))
    for run in (first, second):
        log = journal.log(run.pk)
        assert log
        log.end(StorageAway("The database was away."))

    with suppress(StorageAway):
        await recorders[0].record(events.done("All of it.", finish_reason="stop", usage={}))
    with suppress(StorageAway):
        await recorders[1].end(events.done("", finish_reason="cancelled", usage={}))
    async with asyncio.timeout(5):
        while journal.log(first.pk) or journal.log(second.pk):
            await asyncio.sleep(0.01)

    kinds = [[row.kind for row in await in_pool(stored, run.pk)] for run in (first, second)]
    assert kinds == [["done"], ["tool_calls", "tool_result", "done"]]


async def test_what_a_tool_did_while_storage_was_away_is_on_record(journal: Journal) -> None:
    (run,) = await in_pool(running, 1)
    call = ToolCall(id="c1", name="t", arguments={})
    recorder = Recorder(journal, run)
    await recorder.record(events.tool_calls([call], iteration=1))
    await recorder.record(events.tool_executing(call))
    log = journal.log(run.pk)
    assert log
    log.end(StorageAway("The database was away."))

    with pytest.raises(StorageAway):
        await recorder.record(
            events.tool_result("c1", "t", "It was done.", outcome="ok", duration_ms=1)
        )
    await recorder.end(events.error("The database was away.", code="STORAGE"))

    (tool_run,) = await in_pool(list, ToolRun.objects.filter(run=run))
    assert (tool_run.state, tool_run.result) == ("ok", "It was done.")
    kinds = [row.kind for row in await in_pool(stored, run.pk)]
    assert kinds == ["tool_calls", "tool_executing", "tool_result", "error"]
