"""Packing: fewer rows, the same bytes for every reader."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.db import connections
from django.utils import timezone

from chat.events import ChatEvent, content, done, notice, reasoning
from chat.models import AgentRun, Conversation, RunEvent, RunStatus
from chat.runs.engine import engine
from chat.runs.feed import follow
from chat.runs.pool import in_pool, in_writer
from chat.runs.upkeep.packing import ROW_CHARACTERS, pack_ended, packed_rows, store
from chat.steps import Steps
from tests.faults.invariants import replayed
from tests.people import Person
from tests.sse import ask, read, wait_until

pytestmark = pytest.mark.usefixtures("database")

PIECES = ["", " ", "\n", "\n\n", "data: ", '"', "\\", "\\u0000", "\u2028", "é", "e\u0301", "漢"]
PIECES += ["🦦", "👩‍👩‍👧", "\ud83d", "\ude00", "\x00", "\x7f", "word ", "</script>", "\r\n", "\t"]


def ended(events: list[ChatEvent]) -> AgentRun:
    """A run that has just ended with these events, 13 ms apart."""
    owner, _ = get_user_model().objects.get_or_create(username="packing")
    conversation = Conversation.objects.create(owner=owner)
    now = timezone.now()
    run = AgentRun.objects.create(
        conversation=conversation,
        owner=owner,
        message=conversation.messages.create(role="user", content="?"),
        status=RunStatus.COMPLETED,
        model_name="none",
        last_seq=len(events),
        finished_at=now,
    )
    RunEvent.objects.bulk_create(
        RunEvent(
            run=run,
            seq=number,
            kind=event.kind,
            data=event.to_json(),
            created_at=now - timedelta(milliseconds=13) * (len(events) - number),
        )
        for number, event in enumerate(events, 1)
    )
    connections.close_all()
    return run


def chatter(seed: int, count: int) -> list[ChatEvent]:
    """Thinking, text and other things in any order, made of what is hard to cut and to quote."""
    chance = random.Random(seed)
    events: list[ChatEvent] = []
    while len(events) < count:
        make = chance.choice([content, reasoning, lambda text: notice(text, code="X")])
        stretch = range(chance.choice([1, 2, 30]))
        events += [make("".join(chance.choices(PIECES, k=chance.randrange(6)))) for _ in stretch]
    return [*events, done("", finish_reason="stop", usage={})]


def pack(run_id: UUID) -> None:
    store(run_id, packed_rows(run_id))


@pytest.fixture
async def closing() -> AsyncIterator[None]:
    yield
    await engine().aclose()


@pytest.mark.parametrize("seed", range(6))
def test_every_cursor_gets_the_same_bytes_as_before(seed: int) -> None:
    run = ended(chatter(seed, 150))
    before = [replayed(run.pk, after) for after in range(run.last_seq + 1)]

    pack(run.pk)

    assert RunEvent.objects.filter(run=run).exclude(parts=None).exists()
    assert [replayed(run.pk, after) for after in range(run.last_seq + 1)] == before
    assert before[0].count(b"\n\nid: ") == run.last_seq - 1


def test_each_event_keeps_its_number_its_text_and_its_time() -> None:
    run = ended(chatter(7, 100))
    rows = list(RunEvent.objects.filter(run=run))
    before = [(row.seq, row.data, row.created_at) for row in rows]

    pack(run.pk)

    after = []
    for row in RunEvent.objects.filter(run=run):
        parts = json.loads(row.parts) if row.parts else [(0, 0)]
        for event, (_, earlier) in zip(row.to_events(), parts, strict=True):
            at = row.created_at - timedelta(milliseconds=earlier)
            after.append((event.number, event.to_json(), at))
    assert [(seq, data) for seq, data, _ in after] == [(seq, data) for seq, data, _ in before]
    for new, old in zip(after, before, strict=True):
        assert abs(new[2] - old[2]) < timedelta(milliseconds=1)


def test_the_fold_of_packed_rows_is_the_same() -> None:
    run = ended(chatter(8, 200))
    before = Steps.of(row.to_event() for row in run.events.order_by("seq"))

    pack(run.pk)

    assert Steps.of(row.to_event() for row in run.events.order_by("seq")) == before


def test_a_long_stretch_is_packed_into_rows_of_bounded_length() -> None:
    run = ended([content("abcde" * 200) for _ in range(205)])

    pack(run.pk)

    lengths = [len(row.to_event().data["content"]) for row in RunEvent.objects.filter(run=run)]
    assert lengths == [ROW_CHARACTERS] * 4 + [5000]


async def test_readers_in_the_middle_of_a_replay_notice_nothing(closing: None) -> None:
    run = await in_pool(ended, chatter(9, 4000))
    whole = await in_pool(replayed, run.pk, 0)
    streams = [follow(run.pk, 0) for _ in range(3)]
    begun = [[await anext(stream)] for stream in streams]

    rest = asyncio.gather(*(_all(stream) for stream in streams))
    await in_writer(pack, run.pk)

    for first, more in zip(begun, await rest, strict=True):
        assert b"".join(first + more) == whole
        assert more


async def test_of_two_processes_that_pack_one_does_it(closing: None) -> None:
    run = await in_pool(ended, chatter(10, 300))
    whole = await in_pool(replayed, run.pk, 0)
    one, other = await asyncio.gather(in_pool(packed_rows, run.pk), in_pool(packed_rows, run.pk))

    await asyncio.gather(in_writer(store, run.pk, one), in_pool(store, run.pk, other))
    count = await in_pool(RunEvent.objects.filter(run=run).count)
    await in_writer(pack, run.pk)

    assert await in_pool(RunEvent.objects.filter(run=run).count) == count
    assert await in_pool(replayed, run.pk, 0) == whole


async def test_only_what_ended_a_while_ago_is_packed(closing: None) -> None:
    old, fresh, active = [await in_pool(ended, chatter(11, 30)) for _ in range(3)]
    runs = AgentRun.objects
    long_ago = timezone.now() - timedelta(minutes=2)
    await in_pool(runs.filter(pk=old.pk).update, finished_at=long_ago)
    await in_pool(runs.filter(pk=active.pk).update, status=RunStatus.RUNNING, finished_at=None)

    while await pack_ended():
        pass

    mine = runs.filter(pk__in=[old.pk, fresh.pk, active.pk], is_packed=True)
    assert [run.pk for run in await in_pool(list, mine)] == [old.pk]
    # Nobody need go on with it: it has its ending.
    over = {"status": active.status, "finished_at": active.finished_at}
    await in_pool(runs.filter(pk=active.pk).update, **over)


def test_an_answer_of_a_thousand_tokens_takes_an_eighth_of_the_rows(
    alice: Person, carol: Person
) -> None:
    live = ask(alice.api, "[[tokens 1000 delay 3]]")
    run = AgentRun.objects.get(owner=alice.user)
    run_id, rows = str(run.pk), RunEvent.objects.filter(run=run)
    before = rows.count()

    AgentRun.objects.filter(pk=run_id).update(finished_at=timezone.now() - timedelta(minutes=2))
    wait_until(lambda: AgentRun.objects.get(pk=run_id).is_packed, 15, "the server packs")

    assert before >= 8 * rows.count()
    for after in (0, 1, before // 2, before - 2):
        assert read(alice.api, run_id, after) == live[after:]
    shown = carol.http.get(f"/admin/chat/agentrun/{run_id}/change/").text
    assert f"<td>1–{before - 1}</td>" in shown
    assert "t1 t2 t3 " in shown
    page = alice.http.get(f"/c/{run.conversation_id}/").text
    assert "t999 t1000" in page


async def _all(stream: AsyncIterator[bytes]) -> list[bytes]:
    return [part async for part in stream]
