"""The journal: durable before visible. One writer per process stores the events of all runs.

Runs append without waiting for the disk; the writer takes everything that is waiting, from all
runs, and commits it at once. Idle: one event, one commit. Busy: the batches grow by themselves.
"""

import asyncio
import contextlib
import contextvars
import logging
import math
from collections.abc import Callable, Container, Iterable
from functools import partial
from typing import TypeVar
from uuid import UUID

from django.db import connection

from chat.errors import ChatError, RunLost, StorageAway
from chat.events import DELTAS, ChatEvent
from chat.runs import metrics
from chat.runs.effects import Effect
from chat.runs.patience import Patience
from chat.runs.pool import AWAY_ERRORS, is_locked, raise_away, writer
from chat.runs.run_log import RunLog, Slice
from chat.runs.store import Written, beat, write, write_again, write_alone
from chat.text import say

logger = logging.getLogger(__name__)

T = TypeVar("T")
Writing = Callable[[list[Slice]], Written]

HEARTBEAT_SECONDS = 5
# From one write to the next.
COMMIT_INTERVAL_SECONDS = 0.004
MAX_WAITING_CHARACTERS = 100_000
LOOK_AGAIN_SECONDS = 60
RETRY_SECONDS = 0.2
# Runs end where the database is away for longer: before others take them for orphans.
PATIENCE_SECONDS = 10
LAST_WORDS_SECONDS = 5
AWAY = "The database was away for too long, and the answer could not go on. Please ask again."


class Journal:
    """Owns the logs of the runs of this process and the one task that writes them."""

    def __init__(
        self,
        on_cancel_requested: Callable[[UUID], None],
        on_stored: Callable[[Iterable[UUID]], None] = lambda run_ids: None,
        on_lost: Callable[[UUID], None] = lambda run_id: None,
    ) -> None:
        self._on_cancel_requested = on_cancel_requested
        self._on_stored = on_stored
        self._on_lost = on_lost
        self._logs: dict[UUID, RunLog] = {}
        self._dirty: set[RunLog] = set()
        # Those of which somebody else keeps a row locked, each with its own try to write.
        self._locked: dict[RunLog, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._is_writing = False
        self._task = asyncio.get_running_loop().create_task(
            self._run(), name="journal", context=contextvars.Context()
        )

    def open(self, run_id: UUID, lease: int, last_seq: int) -> RunLog:
        """The log of a run that this process owns under `lease`."""
        if before := self._logs.get(run_id):
            self._drop(before, RunLost("It is gone on with under a new lease."))
        log = self._logs[run_id] = RunLog(run_id, lease, last_seq)
        return log

    @property
    def waiting(self) -> int:
        """Rows that are not stored yet."""
        return sum(log.added - log.settled for log in self._logs.values())

    def log(self, run_id: UUID) -> RunLog | None:
        """The log of a run that lives in this process."""
        return self._logs.get(run_id)

    async def append(self, log: RunLog, event: ChatEvent, effect: Effect | None = None) -> None:
        """Return when the event is stored; for a text delta, when it is queued.

        A run whose backlog passes its bound waits. Raises RunLost if the run is no longer
        ours, and once, StorageAway if it has to end because nothing could be stored. What was
        appended is written even if the caller is cancelled meanwhile.
        """
        if log.failure:
            log.check()
        # First: it has happened, whatever is asked for next.
        place = log.add(event, effect)
        self._touch(log)
        # The ending that trouble asks for may be this one.
        if log.trouble and not event.is_terminal:
            log.check()
        if event.kind in DELTAS and log.waiting_characters <= MAX_WAITING_CHARACTERS:
            return
        while log.settled < place:
            await log.wait(LOOK_AGAIN_SECONDS)
            log.check()

    async def settle(self, log: RunLog) -> None:
        """Return when nothing of this log is waiting; from then on it is not ours.

        Raises what append raises.
        """
        while log.settled < log.added and not log.failure:
            await log.wait(LOOK_AGAIN_SECONDS)
        if log.failure:
            raise log.failure
        self._drop(log, RunLost("This process has given the run up."))

    def beat(self, living: Container[UUID]) -> None:
        """Move the heartbeat of the runs that are `living`, and let the readers of all look up.

        To be called every HEARTBEAT_SECONDS. Without a task that lives, a run has to be found.
        """
        for log in self._logs.values():
            if log.run_id in living:
                self._touch(log)
            log.wake()

    async def aclose(self) -> None:
        """Store what is waiting, if that is possible within a moment, then stop the writer."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_SECONDS):
                # A few commits away; an Event would have to be set at every one of them.
                while self._is_busy and not self._task.done():  # noqa: ASYNC110
                    await asyncio.sleep(COMMIT_INTERVAL_SECONDS)
        tasks = {self._task, *self._locked.values()}
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    @property
    def _is_busy(self) -> bool:
        return bool(self._dirty or self._locked or self._is_writing)

    def _touch(self, log: RunLog) -> None:
        if log in self._locked:
            return
        # The writer is awake already where another log is dirty.
        if not self._dirty:
            self._wake.set()
        self._dirty.add(log)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            begun_at = loop.time()
            logs = list(self._dirty)
            self._dirty.clear()
            self._is_writing = True
            batch = [(log, log.take()) for log in logs]
            await self._flush(batch)
            self._is_writing = False
            metrics.committed(sum([len(part.rows) for _, part in batch]), loop.time() - begun_at)
            await asyncio.sleep(begun_at + COMMIT_INTERVAL_SECONDS - loop.time())

    async def _flush(self, batch: list[tuple[RunLog, Slice]]) -> None:
        # No run is kept waiting for longer; what it said is written all the same.
        impatience = Patience(PATIENCE_SECONDS, self._end_all)
        try:
            written = await _insist(write, [part for _, part in batch], PATIENCE_SECONDS)
        except Exception:  # One poisoned run must not stop the writer of all.
            for log, part in batch:
                await self._flush_alone(log, part)
        else:
            self._show_all(batch, written)
        finally:
            impatience.cancel()

    async def _flush_alone(self, log: RunLog, part: Slice, patience_seconds: float = 0) -> None:
        try:
            written = await _insist(write_alone, [part], patience_seconds)
        except Exception as error:
            if is_locked(error):
                self._set_aside(log, part)
                return
            logger.exception("Run %s could not be stored", log.run_id)
            self._drop(
                log,
                ChatError(say("It could not be stored ({reason}).", reason=type(error).__name__)),
            )
        else:
            self._show_all([(log, part)], written)

    def _set_aside(self, log: RunLog, part: Slice) -> None:
        """Nobody else waits for a row that is locked; the run itself no longer than for others."""
        logger.warning("Run %s waits: somebody else keeps a row of it locked", log.run_id)
        impatience = Patience(PATIENCE_SECONDS, partial(log.end, StorageAway(AWAY)))
        trying = self._flush_alone(log, part, math.inf)
        task = asyncio.get_running_loop().create_task(trying, context=contextvars.Context())
        self._locked[log] = task
        # What it said while the lock was waited for comes after this, and not beside it.
        self._dirty.discard(log)

        def take_up(_: asyncio.Task[None]) -> None:
            impatience.cancel()
            del self._locked[log]
            # What it said meanwhile.
            if not log.is_closed:
                self._touch(log)

        task.add_done_callback(take_up)

    def _show_all(self, batch: list[tuple[RunLog, Slice]], written: Written) -> None:
        for log, part in batch:
            # There is hardly ever one in either set.
            if written.lost and log.run_id in written.lost:
                self._lose(log)
                continue
            if written.cancelled and log.run_id in written.cancelled and not part.is_ending:
                # First: what waits for this write must not begin anything after it.
                self._on_cancel_requested(log.run_id)
            log.stored(part.rows)
            if log.is_over:
                self._logs.pop(log.run_id, None)
        self._on_stored([log.run_id for log, _ in batch])

    def _lose(self, log: RunLog) -> None:
        is_alive = self._logs.get(log.run_id) is log
        self._drop(log, RunLost("Another process has taken this run over."))
        if is_alive:
            self._on_lost(log.run_id)

    def _end_all(self) -> None:
        """Have all runs end, and record that as soon as they can."""
        logger.error("The database is away for more than %g s: runs end", PATIENCE_SECONDS)
        for log in self._logs.values():
            log.end(StorageAway(AWAY))

    def _drop(self, log: RunLog, failure: Exception) -> None:
        log.close(failure)
        self._dirty.discard(log)
        if self._logs.get(log.run_id) is log:
            del self._logs[log.run_id]


async def _insist(call: Writing, slices: list[Slice], patience_seconds: float) -> Written:
    """Call in the one thread for writes; a database that is away is asked again, for ever.

    Raises where it refuses for longer than `patience_seconds` and yet takes something else, and
    at once where a row is locked, unless it is to be waited for without end.
    """
    loop = asyncio.get_running_loop()
    patience_ends = loop.time() + patience_seconds
    while True:
        try:
            return await loop.run_in_executor(writer, _try, call, slices)
        except AWAY_ERRORS as error:
            # Only of one of the runs, and not of the database.
            if is_locked(error) and patience_seconds < math.inf:
                raise
            if loop.time() > patience_ends and await loop.run_in_executor(writer, _is_well, slices):
                raise
            if call is write:
                logger.warning("The journal waits for the database: %s", error)
                call = write_again
        await asyncio.sleep(RETRY_SECONDS)


def _is_well(slices: list[Slice]) -> bool:
    """Whether the database takes anything at all: here, signs of life."""
    try:
        _try(beat, slices)
    except AWAY_ERRORS:
        return False
    return True


def _try(call: Callable[[list[Slice]], T], slices: list[Slice]) -> T:
    try:
        return call(slices)
    except Exception as error:
        # A connection in doubt is replaced by the next write.
        connection.close()
        raise_away(error)
        raise
