"""A bound on the model's silence, by meaning: comments and empty chunks are silence too."""

import asyncio
from dataclasses import dataclass
from time import monotonic

import aiohttp

from chat.errors import ProviderError
from chat.providers.failures import from_transport
from chat.providers.http import Read, as_httpx
from chat.text import say

# A timer that is overdue by more: the machine was asleep, or moved.
STILL_SECONDS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeouts:
    """Seconds: to connect, to the first sign of an answer, between two signs, for all of it.

    `ending`: for what may follow once the model has said how its answer ended.
    """

    connect: float = 10
    first_token: float = 90
    idle: float = 60
    ending: float = 5
    total: float = 900


class Watchdog:
    """Ends a read that waits too long. Time in which we were not reading, or our whole process
    stood still, is not its silence.

    Made by the task that reads.

    One timer serves the whole answer: a timeout around each read would cost more than the read.
    """

    def __init__(self, timeouts: Timeouts) -> None:
        self._loop = asyncio.get_running_loop()
        self._idle = timeouts.idle
        self._ending = timeouts.ending
        self._patience = timeouts.first_token
        self._heard_at = monotonic()
        self._total = timeouts.total
        self._end = self._heard_at + timeouts.total
        self._task = asyncio.current_task()
        self._is_reading = False
        self._is_ending = False
        self._is_late = False
        self._has_barked = False
        first = min(self._patience, self._total)
        self._look_at = self._heard_at + first
        self._timer = self._loop.call_later(first, self._look)

    def heard(self) -> None:
        """Something with a meaning has come, and has been dealt with."""
        self._heard_at = monotonic()
        if self._patience != self._idle:
            self._patience = self._idle
            self._look_in(min(self._idle, self._end - self._heard_at))

    def ending(self) -> None:
        """It has said how it ended: from now on its silence is its end, and comes soon."""
        if not self._is_ending:
            self._is_ending = True
            self._idle = min(self._idle, self._ending)
            self.heard()

    def close(self) -> None:
        self._timer.cancel()

    async def over(self, read: Read) -> bytes:
        """What `read` gives, or nothing where that is not waited for. Raises ProviderError."""
        if self._is_late:
            raise self._failure()
        self._is_reading = True
        try:
            return await read()
        except asyncio.CancelledError:
            if not self._has_barked or (self._task and self._task.uncancel()):
                raise
            if self._is_ending and monotonic() < self._end:
                return b""
            raise self._failure() from None
        except aiohttp.ClientError as error:
            raise from_transport(as_httpx(error)) from error
        finally:
            self._is_reading = False

    def _look(self) -> None:
        now = monotonic()
        late = now - self._look_at
        if late > STILL_SECONDS:
            self._heard_at = min(now, self._heard_at + late)
            self._end += late
        due = min(self._heard_at + self._patience, self._end)
        if now < due:
            self._look_in(due - now)
        elif not self._is_reading or not self._task:
            self._is_late = now >= self._end
            if not self._is_late:
                self._look_in(min(self._patience, self._end - now))
        else:
            self._has_barked = True
            self._task.cancel()

    def _failure(self) -> ProviderError:
        if monotonic() >= self._end:
            text = say(
                "The model's answer took longer than {seconds} seconds.", seconds=f"{self._total:g}"
            )
            return ProviderError(text, code="LLM_TIMEOUT")
        return silent(self._patience)

    def _look_in(self, seconds: float) -> None:
        self._timer.cancel()
        self._look_at = monotonic() + seconds
        self._timer = self._loop.call_later(seconds, self._look)


def silent(seconds: float) -> ProviderError:
    text = say("The model was silent for {seconds} seconds.", seconds=f"{seconds:g}")
    return ProviderError(text, code="LLM_TIMEOUT", retryable=True)
