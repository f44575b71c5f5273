"""The part of one run's events that this process has in memory. Knows no database."""

import asyncio
import time
from dataclasses import dataclass, field
from uuid import UUID

from chat.events import DELTAS, TERMINAL, ChatEvent, Kind, encode_delta, to_frame
from chat.runs.effects import Effect

FRAMES_KEPT = 1024
BYTES_KEPT = 262_144

# Number, kind, JSON and Unix time of an event, ready to be a row.
Row = tuple[int, Kind, str, float]


@dataclass(slots=True)
class Slice:
    """What one run adds to a write; `last_seq`: the number of its last row."""

    run_id: UUID
    lease: int
    last_seq: int
    rows: list[Row] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)

    @property
    def is_ending(self) -> bool:
        return bool(self.rows) and self.rows[-1][1] in TERMINAL


@dataclass(slots=True)
class Pending:
    """An event on its way to the disk. Neighbouring deltas wait in one, as `texts`."""

    kind: Kind
    at: float = field(default_factory=time.time)
    texts: list[str] = field(default_factory=list)
    encoded: str = ""
    effect: Effect | None = None


class RunLog:
    """Events of a run that are waiting to be stored, and the last ones that were.

    `last_seq` is the number of the last stored event. Readers see only what is stored.
    """

    def __init__(self, run_id: UUID, lease: int, last_seq: int = 0) -> None:
        self.run_id = run_id
        self.lease = lease
        self.last_seq = last_seq
        self.added = 0
        self.settled = 0
        self.waiting_characters = 0
        self.is_over = False
        self.is_closed = False
        self.failure: Exception | None = None
        self.trouble: Exception | None = None
        self._pending: list[Pending] = []
        self._frames: list[bytes] = []
        self._bytes = 0
        self._first = last_seq + 1
        self._waiters: list[asyncio.Future[bool]] = []

    def add(self, event: ChatEvent, effect: Effect | None = None) -> int:
        """Queue an event and return its place in the queue; a delta joins the delta before it."""
        pending = self._pending
        if event.kind not in DELTAS:
            pending.append(Pending(event.kind, encoded=event.to_json(), effect=effect))
            self.added += 1
            return self.added
        text = event.data["content"]
        self.waiting_characters += len(text)
        if not pending or pending[-1].kind != event.kind:
            pending.append(Pending(event.kind))
            self.added += 1
        pending[-1].texts.append(text)
        return self.added

    def take(self) -> Slice:
        """What is waiting, to be written now."""
        taken, self._pending = self._pending, []
        self.waiting_characters = 0
        part = Slice(self.run_id, self.lease, self.last_seq)
        for pending in taken:
            part.last_seq += 1
            texts = pending.texts
            encoded = encode_delta("".join(texts)) if texts else pending.encoded
            part.rows.append((part.last_seq, pending.kind, encoded, pending.at))
            if pending.effect:
                part.effects.append(pending.effect)
        return part

    def stored(self, rows: list[Row]) -> None:
        """These rows are committed: show them."""
        for number, kind, encoded, _ in rows:
            frame = to_frame(number, kind, encoded).encode()
            self._frames.append(frame)
            self._bytes += len(frame)
            self.last_seq = number
            if kind in TERMINAL:
                self.is_over = self.is_closed = True
        self.settled += len(rows)
        # Whoever had something to say has been told by now; the others may go on.
        self.trouble = self.failure
        while len(self._frames) > FRAMES_KEPT or self._bytes > BYTES_KEPT:
            self._forget((len(self._frames) + 1) // 2)
        if rows:
            self.wake()

    def _forget(self, count: int) -> None:
        """The oldest frames are read from their rows from now on."""
        self._bytes -= sum(map(len, self._frames[:count]))
        del self._frames[:count]
        self._first += count

    def check(self) -> None:
        """Raise `trouble`, where there is any: `failure`, or once what `end` was given."""
        trouble, self.trouble = self.trouble, self.failure
        if trouble:
            # The same one, more than once: each raise would add to its traceback.
            raise trouble.with_traceback(None)

    def end(self, reason: Exception) -> None:
        """Have whoever says something next fail with `reason`: the run is to record its ending."""
        self.trouble = self.failure or reason
        self.wake()

    def close(self, failure: Exception) -> None:
        """Nothing more is written from here: the run was lost, or could not be stored."""
        self.failure = self.trouble = failure
        self.is_closed = True
        self._pending.clear()
        self.wake()

    def frames_after(self, number: int) -> list[bytes] | None:
        """The stored frames after `number`, or None where they are no longer in memory."""
        if number + 1 < self._first or number > self.last_seq:
            return None
        return self._frames[number + 1 - self._first :]

    def wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(True)

    def moved(self) -> asyncio.Future[bool]:
        """Done when the log moves, and with each heartbeat; without a timer for every token."""
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        return waiter

    async def wait(self, seconds: float) -> bool:
        """Wait until the log moves; False if it did not within `seconds`."""
        # By hand: asyncio.wait costs five times as much, and this happens for every token.
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        self._waiters.append(waiter)
        timer = loop.call_later(seconds, _give_up, waiter)
        try:
            return await waiter
        finally:
            timer.cancel()


def _give_up(waiter: asyncio.Future[bool]) -> None:
    if not waiter.done():
        waiter.set_result(False)
