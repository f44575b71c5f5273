"""A deadline that counts only the time in which this process was awake."""

import asyncio
from collections.abc import Callable

STEP_SECONDS = 1


class Patience:
    """Calls `on_end` after so many whole seconds, unless it is cancelled before.

    A machine that was moved, or asleep, finds all its timers overdue at once: as if what is waited
    for had not come, though nobody was there to receive it. Here such a gap counts as one second.
    """

    def __init__(self, seconds: int, on_end: Callable[[], object]) -> None:
        self._left = seconds
        self._on_end = on_end
        self._wait()

    def cancel(self) -> None:
        self._timer.cancel()

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(STEP_SECONDS, self._step)

    def _step(self) -> None:
        self._left -= STEP_SECONDS
        if self._left > 0:
            self._wait()
        else:
            self._on_end()
