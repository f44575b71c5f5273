"""The journal's transaction: one statement moves the runs, one inserts the events.

The loop of a bulk insert over single rows would hand the interpreter's lock over once per row, as
does a RETURNING that is read row by row; one statement that unpacks a JSON text or arrays does it
once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from chat.models import AgentRun
from chat.runs.run_log import Slice

# A batch is a JSON list of [run, lease, last_seq, rows], a row [number, kind, data, time].
# `+status` keeps SQLite from going through all running runs, with all of the JSON for each.
_MOVE_SQLITE = """
UPDATE chat_agentrun SET last_seq = batch.seq, heartbeat_at = ?
FROM (SELECT json_extract(value, '$[0]') AS run, json_extract(value, '$[1]') AS lease,
             json_extract(value, '$[2]') AS seq FROM json_each(?)) AS batch
WHERE id = batch.run AND chat_agentrun.lease = batch.lease
  AND +status IN ('running', 'awaiting_approval')
"""
_STILL_OURS_SQLITE = """
SELECT run.id FROM json_each(?) JOIN chat_agentrun AS run ON run.id = json_extract(value, '$[0]')
WHERE lease = json_extract(value, '$[1]') AND +status IN ('running', 'awaiting_approval')
"""
# All that there are, of every process: there is an index of them, and hardly ever one in it.
_CANCELLED = """
SELECT id FROM chat_agentrun
WHERE cancel_requested_at IS NOT NULL AND status IN ('running', 'awaiting_approval')
"""
_INSERT_SQLITE = """
INSERT INTO chat_runevent (run_id, seq, kind, data, created_at)
SELECT json_extract(part.value, '$[0]'), json_extract(row.value, '$[0]'),
       json_extract(row.value, '$[1]'), json_extract(row.value, '$[2]'),
       strftime('%Y-%m-%d %H:%M:%f', json_extract(row.value, '$[3]'), 'unixepoch')
FROM json_each(?) AS part, json_each(part.value, '$[3]') AS row
"""
_MOVE_POSTGRESQL = """
UPDATE chat_agentrun SET last_seq = batch.seq, heartbeat_at = clock_timestamp()
FROM unnest(%s::uuid[], %s::int[], %s::int[]) AS batch (run, lease, seq)
WHERE id = batch.run AND chat_agentrun.lease = batch.lease
  AND status IN ('running', 'awaiting_approval')
RETURNING id, cancel_requested_at IS NOT NULL
"""
_INSERT_POSTGRESQL = """
INSERT INTO chat_runevent (run_id, seq, kind, data, created_at)
SELECT * FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::text[], %s::timestamptz[])
"""
_HARDLY_WAIT = "SET LOCAL lock_timeout = '50ms'"


@dataclass(slots=True)
class Written:
    """Of the runs of a write: those that are not ours any longer, of which nothing was stored.

    And runs, of whomever, that should be cancelled.
    """

    lost: set[UUID]
    cancelled: set[UUID]


def write(slices: Sequence[Slice]) -> Written:
    """Store all slices in one transaction; a slice with a stale lease writes nothing."""
    is_sqlite = connection.vendor == "sqlite"
    if is_sqlite and not any(part.effects for part in slices):
        return _write_events_alone(slices)
    with transaction.atomic():
        written = (_write_in_sqlite if is_sqlite else _write_in_postgresql)(slices)
        for part in slices:
            if part.effects and part.run_id not in written.lost:
                for effect in part.effects:
                    effect()
    return written


def _write_events_alone(slices: Sequence[Slice]) -> Written:
    """As `write` does. Nothing of Django's is within this transaction, and Django not around it.

    It would have been half of what the interpreter does for a commit.
    """
    connection.ensure_connection()
    database = connection.connection
    with connection.wrap_database_errors:
        database.execute("BEGIN IMMEDIATE")
        try:
            written = _write_in_sqlite(slices)
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise
    return written


def _write_in_sqlite(slices: Sequence[Slice]) -> Written:
    execute = connection.connection.execute
    batch, lost = _batch(slices), set[UUID]()
    moved = execute(_MOVE_SQLITE, [str(datetime.now(UTC).replace(tzinfo=None)), batch])
    if moved.rowcount != len(slices):
        ours = {UUID(run_id) for (run_id,) in execute(_STILL_OURS_SQLITE, [batch])}
        lost = {part.run_id for part in slices} - ours
        batch = _batch([part for part in slices if part.run_id in ours])
    execute(_INSERT_SQLITE, [batch])
    return Written(lost, {UUID(run_id) for (run_id,) in execute(_CANCELLED).fetchall()})


def _batch(slices: Sequence[Slice]) -> str:
    plain = [(part.run_id.hex, part.lease, part.last_seq, part.rows) for part in slices]
    return orjson.dumps(plain).decode()


def _write_in_postgresql(slices: Sequence[Slice]) -> Written:
    runs = zip(*((part.run_id, part.lease, part.last_seq) for part in slices), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_MOVE_POSTGRESQL, list(map(list, runs)))
        moved = dict(cursor.fetchall())
        _insert_in_postgresql(cursor, [part for part in slices if part.run_id in moved])
    lost = {part.run_id for part in slices} - moved.keys()
    return Written(lost, {run_id for run_id, is_cancelled in moved.items() if is_cancelled})


def _insert_in_postgresql(cursor: Any, slices: Sequence[Slice]) -> None:
    rows = [
        (part.run_id, number, str(kind), data, datetime.fromtimestamp(at, UTC))
        for part in slices
        for number, kind, data, at in part.rows
    ]
    if rows:
        cursor.execute(_INSERT_POSTGRESQL, list(map(list, zip(*rows, strict=True))))


def write_alone(slices: list[Slice]) -> Written:
    """Like write_again, without waiting for rows that somebody else keeps locked."""
    if connection.vendor == "sqlite":
        return write_again(slices)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_HARDLY_WAIT)
        return write_again(slices)


def write_again(slices: list[Slice]) -> Written:
    """Like write, after one that failed: it may have been committed and only its answer lost."""
    return _found(slices) or write(slices)


def _found(slices: list[Slice]) -> Written | None:
    """What a write has stored, as far as rows tell; None where it has stored nothing."""
    stored = {part.run_id for part in slices if part.rows and _is_stored(part)}
    lost = {part.run_id for part in slices if part.rows} - stored
    return Written(lost, set()) if stored else None


def _is_stored(part: Slice) -> bool:
    return _ours(part).filter(last_seq=part.last_seq).exists()


def beat(slices: list[Slice]) -> None:
    """A sign of life of each run that is ours."""
    with transaction.atomic():
        for part in slices:
            _ours(part).update(heartbeat_at=clock())


def clock() -> datetime:
    """The time by the one clock that all processes have in common, the database's.

    Each machine's own may be wrong, and a heartbeat of a minute ago is a process that is gone.
    """
    if connection.vendor == "sqlite":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
        return now


def _ours(part: Slice) -> QuerySet[AgentRun]:
    return AgentRun.objects.filter(pk=part.run_id, lease=part.lease)
