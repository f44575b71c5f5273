"""Waiting for something that may be left alone at any moment."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Abandonable:
    """Runs coroutines whose own farewells nobody waits for.

    The SDK says goodbye to a cancelled call in a shielded write that may take 5 seconds; a
    deadline, or a person who pressed stop, must not wait for that.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`. When cancelled: cancel it, and leave at once."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            raise
        return task.result()

    async def settle(self, seconds: float) -> None:
        """Give what is under way, or was left behind, that long to end by itself."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=seconds)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # Asked for, so that asyncio does not report it as never retrieved.
            task.exception()
