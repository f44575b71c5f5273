"""The task that a run is in this process, to its end or until the process leaves; and others."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from opentelemetry import trace

from chat import log_ids
from chat.models import AgentRun
from chat.runs import titles
from chat.runs.announce import announce
from chat.runs.engine import Engine
from chat.runs.executor import execute
from chat.runs.history import read_history
from chat.runs.pool import in_pool, in_writer
from chat.runs.recovery import give_up
from chat.runs.tools.servers import Access
from chat.runs.work import Work
from chat.steps import Steps

tracer = trace.get_tracer("ferryline")

T = TypeVar("T")


def begin(
    run: AgentRun, house: Engine, begun: Steps | None = None, access: Access | None = None
) -> None:
    """Start the task of a run that is ours; `begun`: from where another process has left it.

    `access`: where it was just read.
    """
    work = house.works[run.pk] = Work(run.pk, access=access)
    work.task = spawn(_live(work, run, house, begun), f"run {run.pk}")


def spawn(coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """A task of this process, and not of the request that it comes from."""
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
        begun_is_told = announce(run, title, "new" if is_first else "running")
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
        announce(run, title, "finished", after=begun_is_told)
        if titles.are_by_model():
            aside(titles.entitle(run, house), f"title of {run.conversation_id}", house)


def aside(coroutine: Coroutine[Any, Any, None], name: str, house: Engine) -> asyncio.Task[None]:
    """Something small that no run waits for."""
    task = spawn(coroutine, name)
    # Held here, and cancelled with the rest when the process leaves.
    house.tasks.append(task)
    task.add_done_callback(house.tasks.remove)
    return task


async def whole(beginning: Coroutine[Any, Any, T], house: Engine) -> T:
    """Let it come to its end, although we are cancelled."""
    task = asyncio.get_running_loop().create_task(beginning)
    house.beginnings.add(task)
    task.add_done_callback(house.beginnings.discard)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return await asyncio.shield(task)
