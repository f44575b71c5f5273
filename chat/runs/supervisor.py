"""Starts, stops and watches over runs. The seam behind which runs may live elsewhere.

The embedded default: tasks in the web process.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from uuid import UUID

from django.utils import timezone
from opentelemetry import trace

from chat import log_ids
from chat.errors import Restarting, RunLost
from chat.events import ChatEvent
from chat.models import ACTIVE_STATUSES, AgentRun, RunStatus
from chat.runs import metrics
from chat.runs.announce import announce
from chat.runs.engine import Engine, engine
from chat.runs.executor import execute
from chat.runs.history import read_history
from chat.runs.journal import HEARTBEAT_SECONDS
from chat.runs.pool import in_pool, in_writer
from chat.runs.readers import keep_checking
from chat.runs.recorder import Recorder
from chat.runs.recovery import asked_to_stop, ending_of, give_up, orphans, take_over
from chat.runs.titles import entitle
from chat.runs.tools.approvals import settle as settle_approval
from chat.runs.tools.approvals import settled_among
from chat.runs.tools.inputs import settle
from chat.runs.upkeep.accounts import keep_erasing
from chat.runs.upkeep.checkpoints import keep_checkpointing
from chat.runs.upkeep.packing import keep_packing
from chat.runs.upkeep.retention import keep_pruning
from chat.runs.upkeep.sealing import keep_sealing
from chat.runs.work import Work
from chat.steps import Steps
from chat.text import say

logger = logging.getLogger(__name__)
tracer = trace.get_tracer("ferryline")

T = TypeVar("T")
# Stores a question: its run, and whether that is a new one.
Store = Callable[[], tuple[AgentRun, bool]]

SWEEP_SECONDS = 0.5


def check_open() -> None:
    """Raise Restarting once this process takes no new runs."""
    _check_open(engine())


def _check_open(house: Engine) -> None:
    if house.is_leaving:
        raise Restarting(say("The server is restarting. Please try again in a moment."))


async def begin(store: Store) -> AgentRun:
    """Store a question and start its run, unless `store` says that it is not a new one.

    Both, even if whoever asks leaves meanwhile; where this process is about to end, the run is
    another one's from the beginning. Raises Restarting, and what `store` raises.
    """
    house = engine()
    return await _whole(_begin_stored(store, house), house)


async def _whole(beginning: Coroutine[Any, Any, T], house: Engine) -> T:
    """Let it come to its end, although we are cancelled."""
    task = asyncio.get_running_loop().create_task(beginning)
    house.beginnings.add(task)
    task.add_done_callback(house.beginnings.discard)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return await asyncio.shield(task)


async def _begin_stored(store: Store, house: Engine) -> AgentRun:
    run, is_new = await in_writer(_store, store, house)
    if is_new and house.is_leaving:
        await in_writer(give_up, run.pk, run.lease)
    elif is_new:
        metrics.run_started()
        watch_over(house)
        _begin(run, house, None)
    return run


def _store(store: Store, house: Engine) -> tuple[AgentRun, bool]:
    """In a thread, which may wait for the database for longer than the event loop lives."""
    _check_open(house)
    run, is_new = store()
    if is_new and house.is_leaving:
        give_up(run.pk, run.lease)
    return run, is_new


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


async def decide(tool_run_id: UUID, state: str, **said: Any) -> bool:
    """Allow or deny a call, see approvals.settle; its process goes on as after `answer`."""
    is_first = await in_writer(settle_approval, tool_run_id, state, **said)
    if waiting := engine().waiting_approvals.get(tool_run_id):
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
            _spawn(keep_sealing(), "sealing"),
            _spawn(keep_pruning(), "pruning"),
        ]


def _begin(run: AgentRun, house: Engine, begun: Steps | None) -> None:
    work = house.works[run.pk] = Work(run.pk)
    work.task = _spawn(_live(work, run, house, begun), f"run {run.pk}")


def _spawn(coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    # All of a request's context would pin its thread and its connection for the task's whole life.
    return asyncio.get_running_loop().create_task(coroutine, name=name, context=log_ids.alone())


async def _live(work: Work, run: AgentRun, house: Engine, begun: Steps | None) -> None:
    """A run from its start, or from where another process has left it with `begun`."""
    log_ids.run_id.set(str(run.pk))
    log_ids.user_id.set(str(run.owner_id))
    title = str(run.conversation)
    try:
        is_told = run.conversation.is_new
        history = read_history(run) if is_told else await in_pool(read_history, run)
        is_first = [message["role"] for message in history].count("user") == 1
        # Nobody waits for it: Redis may be slow, or not there at all.
        state = "new" if is_first else "running"
        telling = _aside(announce(run, title, state), f"announcement of {run.pk}", house)
        with tracer.start_as_current_span("run", attributes={"ferryline.run": str(run.pk)}):
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
            await _wake_decided(house)
            await recover(house)
        except Exception:  # The watch goes on when the database is back.
            logger.exception("Looking after runs failed")
        await asyncio.sleep(SWEEP_SECONDS)


async def _stop_asked(house: Engine) -> None:
    """Stop runs of ours that another process was asked to stop; a silent one writes nothing."""
    if house.works:
        for run_id in await in_pool(asked_to_stop):
            house.stop(run_id)


async def _wake_decided(house: Engine) -> None:
    """Go on with calls that somebody decided on in another process, or nobody in time."""
    if waiting := list(house.waiting_approvals):
        for tool_run_id in await in_pool(settled_among, waiting):
            if decided := house.waiting_approvals.get(tool_run_id):
                decided.set()


async def recover(house: Engine) -> None:
    """Take over each orphaned run (a guarded update: one winner) and go on with it, or end it."""
    for run_id, lease in await in_pool(orphans):
        if run_id not in house.works:
            await _whole(_recover(run_id, lease, house), house)


async def _recover(run_id: UUID, lease: int, house: Engine) -> None:
    taken = await in_writer(take_over, run_id, lease)
    if taken is None:
        return
    run, steps = taken
    if house.is_leaving:
        await in_writer(give_up, run.pk, run.lease)
    elif ending := ending_of(run, steps):
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


def _request_cancel(run_id: UUID) -> bool:
    active = AgentRun.objects.filter(
        pk=run_id, status__in=ACTIVE_STATUSES, cancel_requested_at=None
    )
    return bool(active.update(cancel_requested_at=timezone.now()))
