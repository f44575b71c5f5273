"""Starts, stops and watches over runs. The seam behind which runs may live elsewhere.

The embedded default: tasks in the web process.
"""

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from chat.errors import Restarting, RunLost
from chat.events import ChatEvent
from chat.models import ACTIVE_STATUSES, AgentRun, RunStatus
from chat.runs.announce import announce
from chat.runs.engine import Engine, engine
from chat.runs.executor import execute
from chat.runs.journal import HEARTBEAT_SECONDS
from chat.runs.pool import in_pool, in_writer
from chat.runs.readers import keep_checking
from chat.runs.recorder import Recorder
from chat.runs.recovery import asked_to_stop, ending_of, give_up, orphans, take_over
from chat.runs.titles import entitle
from chat.runs.tools.inputs import settle
from chat.runs.upkeep.checkpoints import keep_checkpointing
from chat.runs.upkeep.erasing import keep_erasing
from chat.runs.upkeep.packing import keep_packing
from chat.runs.work import Work
from chat.steps import Steps
from chat.transcript import ChatMessage

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 0.5
LAST_WORDS_SECONDS = 4
FAREWELL_SECONDS = 1.5


def check_open() -> None:
    """Raise Restarting once this process takes no new runs."""
    if engine().is_leaving:
        raise Restarting("The server is restarting. Please try again in a moment.")


async def begin(store: Callable[[], tuple[AgentRun, bool]]) -> AgentRun:
    """Store a question and start its run, unless `store` says that it is not a new one.

    Both, even if whoever asks leaves meanwhile. Raises what `store` raises.
    """
    task = asyncio.get_running_loop().create_task(_begin_stored(store))
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return await asyncio.shield(task)


async def _begin_stored(store: Callable[[], tuple[AgentRun, bool]]) -> AgentRun:
    house = engine()
    run, is_new = await in_writer(store)
    if is_new and house.is_leaving:
        # It came too late for this process.
        await in_writer(give_up, run.pk, run.lease)
    elif is_new:
        watch_over(house)
        _begin(run, house, None)
    return run


async def cancel(run: AgentRun) -> bool:
    """Ask for a run to stop; False if it was asked before or is over.

    Its process stops it at once if it is this one, else at its next write or look (SWEEP_SECONDS).
    """
    is_first = await in_writer(_request_cancel, run.pk)
    engine().stop(run.pk)
    return is_first


async def answer(input_id: UUID, action: str, content: dict[str, Any]) -> bool:
    """Answer a question that a tool call waits for; False if it was answered or is over.

    Its process goes on at once if it is this one, else when it looks again.
    """
    is_first = await in_writer(settle, input_id, action, content)
    if waiting := engine().waiting_inputs.get(input_id):
        waiting.set()
    return is_first


def watch_over(house: Engine) -> None:
    """Keep the heartbeat and look for orphaned runs, from the first call on."""
    if not house.tasks:
        house.tasks = [
            _spawn(_beat(house), "heartbeat"),
            _spawn(_sweep(house), "recovery"),
            _spawn(keep_packing(), "packing"),
            _spawn(keep_checking(), "readers"),
            _spawn(keep_erasing(), "erasing"),
            _spawn(keep_checkpointing(), "checkpoints"),
        ]


async def shut_down(*, drain_seconds: float = 0) -> None:
    """Take no new runs, give those that live here `drain_seconds` to end, hand over the rest.

    With RUN_RECOVERY=interrupt they are ended as interrupted instead. Then close all parts.
    """
    house = engine()
    house.is_leaving = True
    for task in house.tasks[1:]:
        task.cancel()
    await _ended(house, drain_seconds)
    for work in list(house.works.values()):
        if settings.RUN_RECOVERY == "continue":
            work.leave()
        elif work.task:
            work.task.cancel()
    await _ended(house, LAST_WORDS_SECONDS)
    await _read(house)
    for task in house.tasks:
        task.cancel()
    await house.aclose()


async def _ended(house: Engine, seconds: float) -> None:
    tasks = [work.task for work in house.works.values() if work.task]
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


def _begin(run: AgentRun, house: Engine, begun: Steps | None) -> None:
    work = house.works[run.pk] = Work(run.pk)
    work.task = _spawn(_live(work, run, house, begun), f"run {run.pk}")


def _spawn(coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    # A request's context would pin its thread and its connection for the task's whole life.
    return asyncio.get_running_loop().create_task(
        coroutine, name=name, context=contextvars.Context()
    )


async def _live(work: Work, run: AgentRun, house: Engine, begun: Steps | None) -> None:
    """A run from its start, or from where another process has left it with `begun`."""
    title = str(run.conversation)
    try:
        is_told = run.conversation.is_new
        history = read_history(run) if is_told else await in_pool(read_history, run)
        is_first = [message["role"] for message in history].count("user") == 1
        # Nobody waits for it: Redis may be slow, or not there at all.
        state = "new" if is_first else "running"
        telling = _aside(announce(run, title, state), f"announcement of {run.pk}", house)
        await execute(run, history, work, house, begun or Steps())
    except asyncio.CancelledError:
        # Before it had begun: the thread that claimed it has done so all the same.
        if work.is_leaving and not work.is_claimed.is_set():
            await in_writer(give_up, run.pk, max(1, run.lease))
        raise
    finally:
        house.works.pop(run.pk, None)
    if not work.is_leaving:
        await asyncio.wait({telling})
        await announce(run, title, "finished")
        _aside(entitle(run, house), f"title of {run.conversation_id}", house)


def _aside(coroutine: Coroutine[Any, Any, None], name: str, house: Engine) -> asyncio.Task[None]:
    """Something small that no run waits for."""
    task = _spawn(coroutine, name)
    # Held here, and cancelled with the rest when the process leaves.
    house.tasks.append(task)
    task.add_done_callback(house.tasks.remove)
    return task


async def _beat(house: Engine) -> None:
    while True:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        house.journal.beat()


async def _sweep(house: Engine) -> None:
    while True:
        try:
            await _stop_asked(house)
            await recover(house)
        except Exception:  # The watch goes on when the database is back.
            logger.exception("Looking after runs failed")
        await asyncio.sleep(SWEEP_SECONDS)


async def _stop_asked(house: Engine) -> None:
    """Stop runs of ours that another process was asked to stop; a silent one writes nothing."""
    if house.works:
        for run_id in await in_pool(asked_to_stop, list(house.works)):
            house.stop(run_id)


async def recover(house: Engine) -> None:
    """Take over each orphaned run (a guarded update: one winner) and go on with it, or end it."""
    for run_id, lease in await in_pool(orphans):
        if run_id in house.works:
            continue
        taken = await in_writer(take_over, run_id, lease)
        if taken is None:
            continue
        run, steps = taken
        if ending := ending_of(run, steps):
            await _end(run, steps, ending, house)
        else:
            logger.info("Run %s had lost its process and goes on here", run.pk)
            _begin(run, house, steps)


async def _end(run: AgentRun, steps: Steps, ending: ChatEvent, house: Engine) -> None:
    try:
        await Recorder(house.journal, run, steps).end(ending)
    except RunLost:
        logger.warning("Run %s was taken over by another process", run.pk)
    else:
        logger.info("Run %s had lost its process and was ended", run.pk)


def as_ours() -> dict[str, Any]:
    """The fields of a run that begins in this process as soon as it is stored."""
    now = timezone.now()
    return {"status": RunStatus.RUNNING, "lease": 1, "started_at": now, "heartbeat_at": now}


def read_history(run: AgentRun) -> list[ChatMessage]:
    """What was said before, and how much of it the model was found to have no room for."""
    run.turns_left_out = run.turns_left_out or run.conversation.turns_left_out(run)
    return run.conversation.transcript(run)


def _request_cancel(run_id: UUID) -> bool:
    active = AgentRun.objects.filter(
        pk=run_id, status__in=ACTIVE_STATUSES, cancel_requested_at=None
    )
    return bool(active.update(cancel_requested_at=timezone.now()))
