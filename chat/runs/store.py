"""The journal's transaction: one statement moves the runs, one inserts the events.

The loop of a bulk insert over single rows would hand the interpreter's lock over once per
row; one statement that unpacks a JSON text or arrays does it once.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from chat.models import AgentRun
from chat.runs.effects import Effect
from chat.runs.run_log import Row

# `+status` keeps SQLite from going through all running runs, with all of the JSON for each.
_MOVE_SQLITE = """
UPDATE chat_agentrun SET last_seq = batch.seq, heartbeat_at = %s
FROM (SELECT json_extract(value, '$[0]') AS run, json_extract(value, '$[1]') AS lease,
             json_extract(value, '$[2]') AS seq FROM json_each(%s)) AS batch
WHERE id = batch.run AND chat_agentrun.lease = batch.lease
  AND +status IN ('running', 'awaiting_approval')
RETURNING id, cancel_requested_at
"""
_INSERT_SQLITE = """
INSERT INTO chat_runevent (run_id, seq, kind, data, created_at)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
       json_extract(value, '$[3]'), json_extract(value, '$[4]') FROM json_each(%s)
"""
_MOVE_POSTGRESQL = """
UPDATE chat_agentrun SET last_seq = batch.seq, heartbeat_at = %s
FROM unnest(%s::uuid[], %s::int[], %s::int[]) AS batch (run, lease, seq)
WHERE id = batch.run AND chat_agentrun.lease = batch.lease
  AND status IN ('running', 'awaiting_approval')
RETURNING id, cancel_requested_at
"""
_INSERT_POSTGRESQL = """
INSERT INTO chat_runevent (run_id, seq, kind, data, created_at)
SELECT * FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::text[], %s::timestamptz[])
"""


@dataclass(slots=True)
class Slice:
    """What one run adds to a write."""

    run_id: UUID
    lease: int
    last_seq: int
    rows: list[Row] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)


@dataclass(slots=True)
class Written:
    """The runs whose events are stored now, and those of them that should be cancelled."""

    run_ids: set[UUID]
    cancelled: set[UUID]


def write(slices: list[Slice]) -> Written:
    """Store all slices in one transaction; a slice with a stale lease writes nothing."""
    with transaction.atomic():
        moved = _move(slices)
        kept = [part for part in slices if part.run_id in moved]
        _insert(kept)
        for part in kept:
            for effect in part.effects:
                effect()
    return Written(set(moved), {run_id for run_id, is_cancelled in moved.items() if is_cancelled})


def write_again(slices: list[Slice]) -> Written:
    """Like write, after one that failed: it may have been committed and only its answer lost."""
    return _found(slices) or write(slices)


def _found(slices: list[Slice]) -> Written | None:
    """What a write has stored, as far as rows tell; None where it has stored nothing."""
    stored = {part.run_id for part in slices if part.rows and _is_stored(part)}
    beats = {part.run_id for part in slices if not part.rows}
    return Written(stored | beats, set()) if stored else None


def _is_stored(part: Slice) -> bool:
    return _ours(part).filter(last_seq=part.last_seq).exists()


def beat(slices: list[Slice]) -> None:
    """A sign of life of each run that is ours."""
    with transaction.atomic():
        for part in slices:
            _ours(part).update(heartbeat_at=timezone.now())


def _ours(part: Slice) -> QuerySet[AgentRun]:
    return AgentRun.objects.filter(pk=part.run_id, lease=part.lease)


def _move(slices: list[Slice]) -> dict[UUID, bool]:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            plain = [(part.run_id.hex, part.lease, part.last_seq) for part in slices]
            cursor.execute(_MOVE_SQLITE, [_sqlite_time(timezone.now()), json.dumps(plain)])
            # Judged here: SQLite 3.40 answers `IS NOT NULL` with 1 for NULL in this RETURNING.
            return {UUID(run_id): asked is not None for run_id, asked in cursor.fetchall()}
        columns = (
            [p.run_id for p in slices],
            [p.lease for p in slices],
            [p.last_seq for p in slices],
        )
        cursor.execute(_MOVE_POSTGRESQL, [timezone.now(), *columns])
        return {run_id: asked is not None for run_id, asked in cursor.fetchall()}


def _insert(slices: list[Slice]) -> None:
    rows = [
        (part.run_id, number, str(kind), data, datetime.fromtimestamp(at, UTC))
        for part in slices
        for number, kind, data, at in part.rows
    ]
    if not rows:
        return
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            plain = [
                (run.hex, number, kind, data, _sqlite_time(at))
                for run, number, kind, data, at in rows
            ]
            cursor.execute(_INSERT_SQLITE, [json.dumps(plain)])
        else:
            cursor.execute(_INSERT_POSTGRESQL, [list(column) for column in zip(*rows, strict=True)])


def _sqlite_time(moment: datetime) -> str:
    """As Django stores it: UTC without its zone."""
    return moment.isoformat(" ", "microseconds")[:26]
