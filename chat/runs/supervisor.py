"""Starts and stops runs. The seam behind which runs may live elsewhere.

The embedded default: tasks in the web process (tasks.py, watch.py).
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.utils import timezone

from chat.errors import Restarting
from chat.models import ACTIVE_STATUSES, AgentRun, RunStatus
from chat.runs import metrics, tasks
from chat.runs.engine import Engine, engine
from chat.runs.pool import in_writer
from chat.runs.recovery import give_up
from chat.runs.store import clock
from chat.runs.tools.approvals import settle as settle_approval
from chat.runs.tools.inputs import settle
from chat.runs.tools.servers import Access, read_access
from chat.runs.watch import watch_over
from chat.text import say

# Stores a question: its run, and whether that is a new one.
Store = Callable[[], tuple[AgentRun, bool]]


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
    return await tasks.whole(_begin_stored(store, house), house)


async def _begin_stored(store: Store, house: Engine) -> AgentRun:
    run, is_new, access = await in_writer(_store, store, house)
    if is_new and house.is_leaving:
        await in_writer(give_up, run.pk, run.lease)
    elif is_new:
        metrics.run_started()
        watch_over(house)
        tasks.begin(run, house, access=access)
    return run


def _store(store: Store, house: Engine) -> tuple[AgentRun, bool, Access | None]:
    """In a thread, which may wait for the database for longer than the event loop lives.

    What the run may use is read in the same go: another would be a millisecond more to its first
    token.
    """
    _check_open(house)
    run, is_new = store()
    if is_new and house.is_leaving:
        give_up(run.pk, run.lease)
    return run, is_new, _access_of(run) if is_new else None


def _access_of(run: AgentRun) -> Access | None:
    """None where it cannot be read: the run is stored, so it tries again, and can say so."""
    try:
        return read_access(run.conversation)
    except Exception:
        return None


async def cancel(run: AgentRun) -> bool:
    """Ask for a run to stop; False if it was asked before or is over.

    Its process stops it at once if it is this one, else at its next write or look (watch.py).
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


def as_ours() -> dict[str, Any]:
    """The fields of a run that begins in this process as soon as it is stored; in a thread."""
    now = timezone.now()
    return {"status": RunStatus.RUNNING, "lease": 1, "started_at": now, "heartbeat_at": clock()}


def _request_cancel(run_id: UUID) -> bool:
    active = AgentRun.objects.filter(
        pk=run_id, status__in=ACTIVE_STATUSES, cancel_requested_at=None
    )
    return bool(active.update(cancel_requested_at=timezone.now()))
