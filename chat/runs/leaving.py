"""The end of a process: what lives in it ends, or is another one's."""

import asyncio
import contextlib
import time
from collections.abc import Collection
from typing import Any

from django.conf import settings

from chat.runs import pool
from chat.runs.announce import all_told
from chat.runs.engine import Engine, engine

# What takes longer is given up by the thread that stores it.
STORING_SECONDS = 1
# How often to look whether one has begun to wait for a person.
LOOK_SECONDS = 0.5
LAST_WORDS_SECONDS = 4
TELLING_SECONDS = 0.5
FAREWELL_SECONDS = 1.5
# For all of it.
SHUTDOWN_SECONDS = 8


async def shut_down(*, drain_seconds: float = 0) -> None:
    """Take no new runs, give those that live here `drain_seconds` to end, hand over the rest.

    With RUN_RECOVERY=interrupt they are ended as interrupted instead. Then close all parts.
    Raises TimeoutError SHUTDOWN_SECONDS after that time at the latest.
    """
    async with asyncio.timeout(drain_seconds + SHUTDOWN_SECONDS):
        await _shut_down(engine(), drain_seconds)


async def _shut_down(house: Engine, drain_seconds: float) -> None:
    house.is_leaving = True
    for task in house.tasks[1:]:
        task.cancel()
    await _wait(house.beginnings, STORING_SECONDS)
    await _drained(house, drain_seconds)
    pool.leave()
    for work in list(house.works.values()):
        if settings.RUN_RECOVERY == "continue" or work.waits_only():
            work.leave()
        elif work.task:
            work.task.cancel()
    await _ended(house, LAST_WORDS_SECONDS)
    await all_told(TELLING_SECONDS)
    await _read(house)
    for task in house.tasks:
        task.cancel()
    await house.aclose()


async def _drained(house: Engine, seconds: float) -> None:
    """Each has its time to end, but for those that wait for a person, who may take hours."""
    ends_at = time.monotonic() + seconds
    while True:
        for work in list(house.works.values()):
            if work.waits_only() and not work.is_leaving:
                # Whoever comes next waits on.
                work.leave()
        left = ends_at - time.monotonic()
        if left <= 0 or not house.works:
            return
        await _ended(house, min(left, LOOK_SECONDS))


async def _ended(house: Engine, seconds: float) -> None:
    await _wait({work.task for work in house.works.values() if work.task}, seconds)


async def _wait(tasks: Collection[asyncio.Task[Any]], seconds: float) -> None:
    if tasks and seconds:
        await asyncio.wait(tasks, timeout=seconds)


async def _read(house: Engine) -> None:
    """Let open event streams end as streams end, and not as connections break."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FAREWELL_SECONDS):
            while house.readers:  # noqa: ASYNC110 (few, and once in a life)
                await asyncio.sleep(0.02)
            # What was said last is on its way.
            await asyncio.sleep(0.05)
