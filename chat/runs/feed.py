"""The feed: read a run's events from number n on, then keep up.

Announcements say only "the run moved"; readers take what is after their last number. A lost,
doubled or late announcement can neither lose nor double an event. A reader holds no thread
and no database connection while it waits.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Subquery

from chat.events import TERMINAL, to_frame
from chat.models import ACTIVE_STATUSES, AgentRun, RunEvent, unpacked
from chat.runs.engine import Engine, engine
from chat.runs.journal import HEARTBEAT_SECONDS
from chat.runs.moves import Ear
from chat.runs.pool import in_pool
from chat.runs.readers import Reader
from chat.runs.run_log import RunLog

EVENTS_AT_ONCE = 1000
# Rows may be large, and most of a reader's batch may be in the first one.
ROWS_AT_ONCE = 20
# A slow reader costs this, twice for a moment, unless one event alone is larger.
BATCH_BYTES = 32_768
LOOK_AGAIN_SECONDS = 0.5
# At the latest; it is thought of with every heartbeat.
KEEP_ALIVE_SECONDS = 15
KEEP_ALIVE = b": still here\n\n"


@dataclass(slots=True)
class Batch:
    """Consecutive stored frames; `is_end`: nothing comes after them."""

    frames: list[bytes] = field(default_factory=list)
    size: int = 0
    is_end: bool = False

    @property
    def is_full(self) -> bool:
        return self.size >= BATCH_BYTES

    @property
    def is_all(self) -> bool:
        """Whether there was nothing more at that moment."""
        return not self.is_full and len(self.frames) < EVENTS_AT_ONCE

    def add(self, frame: bytes) -> None:
        self.frames.append(frame)
        self.size += len(frame)


async def follow(  # noqa: C901 (each generator more would cost every token of every reader)
    run_id: UUID, after: int, reader: Reader | None = None
) -> AsyncGenerator[bytes, None]:
    """Frames after number `after`, several at a time, ending with the terminal event.

    Ends before it where this process is about to end: read on elsewhere, or a moment later; and
    where the reader is not welcome any more.

    A comment line every KEEP_ALIVE_SECONDS keeps proxies from closing a quiet stream.
    """
    # No timer either: the log wakes its readers with each heartbeat.
    house = engine()
    house.readers += 1
    try:
        with Ear(house.moves, run_id) as ear:
            quiet_since = time.monotonic()
            log = await _begun(house, run_id)
            while True:
                if log is None or log.is_closed:
                    log = house.journal.log(run_id) or log
                batch = _in_memory(log, after)
                if batch is None:
                    ear.forget()
                    batch = await in_pool(read_batch, run_id, after)
                if reader and not reader.is_welcome:
                    return
                if batch.frames:
                    after += len(batch.frames)
                    quiet_since = time.monotonic()
                    yield batch.frames[0] if len(batch.frames) == 1 else b"".join(batch.frames)
                elif time.monotonic() - quiet_since > KEEP_ALIVE_SECONDS - HEARTBEAT_SECONDS:
                    quiet_since = time.monotonic()
                    yield KEEP_ALIVE
                # Over; or this process is about to end, and the run goes on elsewhere.
                if batch.is_end or (house.is_leaving and (log is None or log.failure)):
                    return
                if log is None or log.is_closed:
                    if batch.is_all:
                        await ear.wait(LOOK_AGAIN_SECONDS)
                elif log.last_seq <= after:
                    await log.moved()
    finally:
        house.readers -= 1


async def _begun(house: Engine, run_id: UUID) -> RunLog | None:
    """A run that starts here right now has its log in a moment; no need to look at rows."""
    work = house.works.get(run_id)
    if work and not work.is_claimed.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                await work.is_claimed.wait()
    return house.journal.log(run_id)


def _in_memory(log: RunLog | None, after: int) -> Batch | None:
    """What this process has in memory; None where the rows must be read."""
    if log is None or log.failure or (frames := log.frames_after(after)) is None:
        return None
    if len(frames) < 2:
        return Batch(frames, is_end=log.is_over)
    batch = Batch()
    for frame in frames:
        if batch.is_full:
            return batch
        batch.add(frame)
    batch.is_end = log.is_over
    return batch


def read_batch(run_id: UUID, after: int) -> Batch:
    """The next stored events as frames."""
    # The status first: an ending stored in between is found by the next look.
    is_end = not AgentRun.objects.filter(pk=run_id, status__in=ACTIVE_STATUSES).exists()
    batch = Batch()
    for number, kind, encoded in _stored(run_id, after):
        if batch.is_full:
            return batch
        batch.add(to_frame(number, kind, encoded).encode())
        is_end = kind in TERMINAL
    batch.is_end = is_end
    return batch


def _stored(run_id: UUID, after: int) -> Iterator[tuple[int, str, str]]:
    """Number, kind and JSON of stored events; rows are read as they are asked for."""
    rows = RunEvent.objects.filter(run_id=run_id)
    # A packed row stands under its first number; the next event may be within it.
    first = rows.filter(seq__lte=after + 1).order_by("-seq").values("seq")[:1]
    found = rows.filter(seq__gte=Subquery(first), seq__lte=after + EVENTS_AT_ONCE)
    values = found.order_by("seq").values_list("seq", "kind", "data", "parts")
    for seq, kind, data, parts in values.iterator(chunk_size=ROWS_AT_ONCE):
        for number, encoded in unpacked(seq, data, parts, after):
            yield number, kind, encoded
