"""The feed: read a run's events from number n on, then keep up.

Announcements say only "the run moved"; readers take what is after their last number. A lost,
doubled or late announcement can neither lose nor double an event. A reader holds no thread
and no database connection while it waits.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID

from chat.events import TERMINAL, to_frame
from chat.models import ACTIVE_STATUSES, AgentRun, RunEvent
from chat.runs.engine import Engine, engine
from chat.runs.pool import in_pool
from chat.runs.run_log import RunLog

ROWS_AT_ONCE = 500
LOOK_AGAIN_SECONDS = 0.5
KEEP_ALIVE_SECONDS = 15
KEEP_ALIVE = b": still here\n\n"


@dataclass(slots=True)
class Batch:
    """Consecutive stored frames; `is_end`: nothing comes after them."""

    frames: list[bytes] = field(default_factory=list)
    is_end: bool = False


async def follow(run_id: UUID, after: int) -> AsyncIterator[bytes]:
    """Frames after number `after`, several at a time, ending with the terminal event.

    Ends before it where this process is about to end: read on elsewhere, or a moment later.

    A comment line every KEEP_ALIVE_SECONDS keeps proxies from closing a quiet stream.
    """
    house = engine()
    house.readers += 1
    try:
        async for frames in _frames(house, run_id, after):
            yield frames
    finally:
        house.readers -= 1


async def _frames(house: Engine, run_id: UUID, after: int) -> AsyncIterator[bytes]:
    quiet_since = time.monotonic()
    await _begun(house, run_id)
    log: RunLog | None = None
    while True:
        log = house.journal.log(run_id) or log
        batch = _in_memory(log, after)
        if batch is None:
            batch = await in_pool(read_batch, run_id, after)
        if batch.frames:
            after += len(batch.frames)
            quiet_since = time.monotonic()
            yield b"".join(batch.frames)
        # Over; or this process is about to end, and the run goes on elsewhere.
        if batch.is_end or (house.is_leaving and (log is None or log.failure)):
            return
        if not batch.frames:
            await _moved(log, quiet_since)
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
    return Batch(frames, is_end=log.is_over)


async def _moved(log: RunLog | None, quiet_since: float) -> None:
    """Wait for news; where the run lives elsewhere, until it is time to look again."""
    if log is None or log.is_closed:
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
    else:
        await log.wait(max(0.1, KEEP_ALIVE_SECONDS - (time.monotonic() - quiet_since)))


def read_batch(run_id: UUID, after: int) -> Batch:
    """The next stored rows as frames."""
    # The status first: an ending stored in between is found by the next look.
    is_active = AgentRun.objects.filter(pk=run_id, status__in=ACTIVE_STATUSES).exists()
    rows = RunEvent.objects.filter(run_id=run_id, seq__gt=after).order_by("seq")
    found = list(rows.values_list("seq", "kind", "data")[:ROWS_AT_ONCE])
    frames = [to_frame(*row).encode() for row in found]
    is_end = found[-1][1] in TERMINAL if found else not is_active
    return Batch(frames, is_end)
