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
        self._left: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`. When cancelled: cancel it, and leave at once."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            self._left.add(task)
            task.add_done_callback(self._forget)
            raise
        return task.result()

    async def settle(self, seconds: float) -> None:
        """Give what was left behind that long to end."""
        if self._left:
            await asyncio.wait(set(self._left), timeout=seconds)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._left.discard(task)
        if not task.cancelled():
            # Asked for, so that asyncio does not report it as never retrieved.
            task.exception()
