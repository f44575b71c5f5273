"""The feed: read a run's events from number n on, then keep up.

Announcements say only "the run moved"; readers take what is after their last number. A lost,
doubled or late announcement can neither lose nor double an event. A reader holds no thread
and no database connection while it waits.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Subquery

from chat.events import TERMINAL, to_frame
from chat.models import ACTIVE_STATUSES, AgentRun, RunEvent, unpacked
from chat.runs.engine import Engine, engine
from chat.runs.moves import Ear
from chat.runs.pool import in_pool
from chat.runs.run_log import RunLog

EVENTS_AT_ONCE = 1000
# Rows may be large, and most of a reader's batch may be in the first one.
ROWS_AT_ONCE = 20
# A slow reader costs this, twice for a moment, unless one event alone is larger.
BATCH_BYTES = 32_768
LOOK_AGAIN_SECONDS = 0.5
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


async def follow(run_id: UUID, after: int) -> AsyncGenerator[bytes, None]:
    """Frames after number `after`, several at a time, ending with the terminal event.

    Ends before it where this process is about to end: read on elsewhere, or a moment later.

    A comment line every KEEP_ALIVE_SECONDS keeps proxies from closing a quiet stream.
    """
    house = engine()
    house.readers += 1
    try:
        with Ear(house.moves, run_id) as ear:
            async for frames in _frames(house, ear, run_id, after):
                yield frames
    finally:
        house.readers -= 1


async def _frames(house: Engine, ear: Ear, run_id: UUID, after: int) -> AsyncIterator[bytes]:
    quiet_since = time.monotonic()
    await _begun(house, run_id)
    log: RunLog | None = None
    while True:
        log = house.journal.log(run_id) or log
        batch = _in_memory(log, after)
        if batch is None:
            ear.forget()
            batch = await in_pool(read_batch, run_id, after)
        if batch.frames:
            after += len(batch.frames)
            quiet_since = time.monotonic()
            yield b"".join(batch.frames)
        # Over; or this process is about to end, and the run goes on elsewhere.
        if batch.is_end or (house.is_leaving and (log is None or log.failure)):
            return
        is_elsewhere = log is None or log.is_closed
        if not batch.frames or (is_elsewhere and batch.is_all):
            await _moved(log, ear, quiet_since)
        if time.monotonic() - quiet_since >= KEEP_ALIVE_SECONDS:
            quiet_since = time.monotonic()
            yield KEEP_ALIVE


async def _begun(house: Engine, run_id: UUID) -> None:
    """A run that starts here right now has its log in a moment; no need to look at rows."""
    if work := house.works.get(run_id):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                await work.is_claimed.wait()


def _in_memory(log: RunLog | None, after: int) -> Batch | None:
    """What this process has in memory; None where the rows must be read."""
    if log is None or log.failure or (frames := log.frames_after(after)) is None:
        return None
    batch = Batch()
    for frame in frames:
        if batch.is_full:
            return batch
        batch.add(frame)
    batch.is_end = log.is_over
    return batch


async def _moved(log: RunLog | None, ear: Ear, quiet_since: float) -> None:
    """Wait for news; where the run lives elsewhere, at most until it is time to look again."""
    if log is None or log.is_closed:
        await ear.wait(LOOK_AGAIN_SECONDS)
    else:
        await log.wait(max(0.1, KEEP_ALIVE_SECONDS - (time.monotonic() - quiet_since)))


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
