"""Packing: some time after a run has ended, each stretch of neighbouring deltas becomes one row.

Nothing is lost: a packed row gives back each event with its number, its time and its bytes (see
RunEvent), so readers with any cursor notice nothing. Every process packs; a guard lets one win.
"""

import asyncio
import json
import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from chat.events import DELTAS, encode
from chat.models import AgentRun, RunEvent
from chat.runs.pool import in_pool, in_writer

logger = logging.getLogger(__name__)

# Whoever followed the run live is done by then, and reads no more rows.
PACK_AFTER_SECONDS = 60
LOOK_SECONDS = 5
RUNS_AT_ONCE = 4
# Where more are waiting, the next ones so many times later than these took: after a rush that is
# a tenth of a core, and less while others work.
REST = 9
# A reader unpacks a whole row to get at one part of it.
ROW_CHARACTERS = 50_000
MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Delta:
    """A stored delta."""

    seq: int
    kind: str
    text: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PackedRow:
    """What takes the place of the rows `seq` to `last_seq`."""

    seq: int
    last_seq: int
    data: str
    parts: str
    created_at: datetime


async def keep_packing() -> None:
    """Pack what has ended, a few runs at a time, for ever."""
    while True:
        begun_at = time.monotonic()
        try:
            is_behind = await pack_ended() == RUNS_AT_ONCE
        except Exception:  # It goes on when the database is back.
            logger.exception("Events could not be packed")
            is_behind = False
        rest = REST * (time.monotonic() - begun_at)
        await asyncio.sleep(min(rest, LOOK_SECONDS) if is_behind else LOOK_SECONDS)


async def pack_ended() -> int:
    """Pack the runs whose turn it is, RUNS_AT_ONCE at most; how many there were."""
    run_ids = await in_pool(to_be_packed)
    for run_id in run_ids:
        # Nothing is added to a run that is over: what is read stays true until it is written.
        rows = await in_pool(packed_rows, run_id)
        await in_writer(store, run_id, rows)
    return len(run_ids)


def to_be_packed() -> list[UUID]:
    """Runs that ended at least PACK_AFTER_SECONDS ago, the oldest first."""
    ended = AgentRun.objects.filter(
        is_packed=False, finished_at__lt=timezone.now() - timedelta(seconds=PACK_AFTER_SECONDS)
    )
    return list(ended.order_by("finished_at").values_list("pk", flat=True)[:RUNS_AT_ONCE])


def packed_rows(run_id: UUID) -> list[PackedRow]:
    """The stretches of the run that are worth a row of their own."""
    return [pack(stretch) for stretch in stretches(deltas(run_id)) if len(stretch) > 1]


def store(run_id: UUID, rows: list[PackedRow]) -> None:
    """Put the rows in place of what they hold, in one transaction; once per run, ever."""
    with transaction.atomic():
        if not AgentRun.objects.filter(pk=run_id, is_packed=False).update(is_packed=True):
            return
        events = RunEvent.objects.filter(run_id=run_id)
        for row in rows:
            events.filter(seq__gt=row.seq, seq__lte=row.last_seq).delete()
            events.filter(seq=row.seq).update(
                data=row.data, parts=row.parts, created_at=row.created_at
            )


def deltas(run_id: UUID) -> Iterator[Delta]:
    rows = RunEvent.objects.filter(run_id=run_id, kind__in=DELTAS, parts=None).order_by("seq")
    for seq, kind, data, at in rows.values_list("seq", "kind", "data", "created_at").iterator():
        text = json.loads(data)["content"]
        # What would come back with other bytes stays as it is.
        if encode({"content": text}) == data:
            yield Delta(seq=seq, kind=kind, text=text, at=at)


def stretches(found: Iterable[Delta]) -> Iterator[list[Delta]]:
    """Deltas of one kind whose numbers follow each other, up to ROW_CHARACTERS."""
    stretch: list[Delta] = []
    characters = 0
    for delta in found:
        characters += len(delta.text)
        if stretch and not (_continues(stretch[-1], delta) and characters <= ROW_CHARACTERS):
            yield stretch
            stretch, characters = [], len(delta.text)
        stretch.append(delta)
    yield stretch


def _continues(last: Delta, delta: Delta) -> bool:
    return delta.kind == last.kind and delta.seq == last.seq + 1


def pack(stretch: list[Delta]) -> PackedRow:
    end = stretch[-1].at
    # In characters as Python counts them: no cut can fall within one.
    parts = [(len(delta.text), round((end - delta.at) / MILLISECOND)) for delta in stretch]
    return PackedRow(
        seq=stretch[0].seq,
        last_seq=stretch[-1].seq,
        data=encode({"content": "".join(delta.text for delta in stretch)}),
        parts=json.dumps(parts, separators=(",", ":")),
        created_at=end,
    )
