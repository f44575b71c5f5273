"""The journal: durable before visible. One writer per process stores the events of all runs.

Runs append without waiting for the disk; the writer takes everything that is waiting, from all
runs, and commits it at once. Idle: one event, one commit. Busy: the batches grow by themselves.
"""

import asyncio
import contextvars
import logging
from collections.abc import Callable
from uuid import UUID

from django.db import OperationalError, connection

from chat.errors import ChatError, RunLost
from chat.events import DELTAS, TERMINAL, ChatEvent
from chat.runs.effects import Effect
from chat.runs.pool import writer
from chat.runs.run_log import RunLog
from chat.runs.store import Slice, Written, write

logger = logging.getLogger(__name__)

COMMIT_INTERVAL_SECONDS = 0.015
MAX_WAITING_CHARACTERS = 100_000
LOOK_AGAIN_SECONDS = 60
RETRY_AFTER_SECONDS = (0.05, 0.2, 0.5, 1, 2, 4, 8)


class Journal:
    """Owns the logs of the runs of this process and the one task that writes them."""

    def __init__(
        self,
        on_cancel_requested: Callable[[UUID], None],
        on_stored: Callable[[set[UUID]], None] = lambda run_ids: None,
    ) -> None:
        self._on_cancel_requested = on_cancel_requested
        self._on_stored = on_stored
        self._logs: dict[UUID, RunLog] = {}
        self._dirty: dict[UUID, RunLog] = {}
        self._wake = asyncio.Event()
        self._is_writing = False
        self._task = asyncio.get_running_loop().create_task(
            self._run(), name="journal", context=contextvars.Context()
        )

    def open(self, run_id: UUID, lease: int, last_seq: int) -> RunLog:
        """The log of a run that this process owns under `lease`."""
        log = self._logs[run_id] = RunLog(run_id, lease, last_seq)
        return log

    def log(self, run_id: UUID) -> RunLog | None:
        """The log of a run that lives in this process."""
        return self._logs.get(run_id)

    async def append(self, log: RunLog, event: ChatEvent, effect: Effect | None = None) -> None:
        """Return when the event is stored; for a text delta, when it is queued.

        A run whose backlog passes its bound waits. Raises RunLost if the run is no longer
        ours. What was appended is written even if the caller is cancelled meanwhile.
        """
        if log.failure:
            raise log.failure
        place = log.add(event, effect)
        self._touch(log)
        if event.kind in DELTAS and log.waiting_characters <= MAX_WAITING_CHARACTERS:
            return
        while log.settled < place and not log.failure:
            await log.wait(LOOK_AGAIN_SECONDS)
        if log.failure:
            raise log.failure

    async def settle(self, log: RunLog) -> None:
        """Return when nothing of this log is waiting; from then on it is not ours.

        Raises what append raises.
        """
        while log.settled < log.added and not log.failure:
            await log.wait(LOOK_AGAIN_SECONDS)
        if log.failure:
            raise log.failure
        self._drop(log, RunLost("This process has given the run up."))

    def beat(self) -> None:
        """Move the heartbeat of every run of this process."""
        for log in self._logs.values():
            self._touch(log)

    async def aclose(self) -> None:
        """Store what is waiting, then stop the writer."""
        # At most a few commits away; an Event would have to be set at every one of them.
        while (self._dirty or self._is_writing) and not self._task.done():  # noqa: ASYNC110
            await asyncio.sleep(COMMIT_INTERVAL_SECONDS)
        self._task.cancel()
        await asyncio.wait({self._task})

    def _touch(self, log: RunLog) -> None:
        self._dirty[log.run_id] = log
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            logs = list(self._dirty.values())
            self._dirty.clear()
            self._is_writing = True
            await self._flush([(log, _slice(log)) for log in logs])
            self._is_writing = False
            await asyncio.sleep(COMMIT_INTERVAL_SECONDS)

    async def _flush(self, batch: list[tuple[RunLog, Slice]]) -> None:
        try:
            written = await self._write([part for _, part in batch])
        except Exception as error:  # One poisoned run must not stop the writer of all.
            if len(batch) == 1:
                log = batch[0][0]
                logger.exception("Run %s could not be stored", log.run_id)
                self._drop(log, ChatError(f"It could not be stored ({type(error).__name__})."))
                return
            for one in batch:
                await self._flush([one])
            return
        for log, part in batch:
            self._show(log, part, written)
        self._on_stored(written.run_ids)

    async def _write(self, slices: list[Slice]) -> Written:
        """Write in the one thread for writes; a database that is busy or away is asked again."""
        loop = asyncio.get_running_loop()
        for pause in RETRY_AFTER_SECONDS:
            try:
                return await loop.run_in_executor(writer, _write_once, slices)
            except OperationalError as error:
                logger.warning("The journal waits %g s for the database: %s", pause, error)
                await asyncio.sleep(pause)
        return await loop.run_in_executor(writer, _write_once, slices)

    def _show(self, log: RunLog, part: Slice, written: Written) -> None:
        if log.run_id not in written.run_ids:
            self._drop(log, RunLost("Another process has taken this run over."))
            return
        is_ending = bool(part.rows) and part.rows[-1][1] in TERMINAL
        if log.run_id in written.cancelled and not is_ending:
            # First: what waits for this write must not begin anything after it.
            self._on_cancel_requested(log.run_id)
        log.stored(part.rows)
        if log.is_over:
            self._logs.pop(log.run_id, None)

    def _drop(self, log: RunLog, failure: Exception) -> None:
        log.close(failure)
        for logs in (self._logs, self._dirty):
            if logs.get(log.run_id) is log:
                del logs[log.run_id]


def _slice(log: RunLog) -> Slice:
    part = Slice(log.run_id, log.lease, log.last_seq)
    for pending in log.take():
        part.last_seq += 1
        part.rows.append((part.last_seq, pending.kind, pending.to_json(), pending.at))
        if pending.effect:
            part.effects.append(pending.effect)
    return part


def _write_once(slices: list[Slice]) -> Written:
    try:
        return write(slices)
    except Exception:
        # A connection in doubt is replaced by the next write.
        connection.close()
        raise
