"""Runs whose process is gone, or gave them up: whoever notices first goes on with them."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Case, Exists, F, OuterRef, Q, Value, When
from django.utils import timezone

from chat import events
from chat.models import (
    ACTIVE_STATUSES,
    AgentRun,
    InputRequest,
    RunEvent,
    RunStatus,
    ToolRun,
    ToolRunState,
)
from chat.models.rows import Prepared
from chat.runs.recorder import INTERRUPTED
from chat.runs.store import clock
from chat.steps import Steps
from chat.text import say

# Three heartbeats missed.
ORPHANED_AFTER_SECONDS = 15
MAX_TAKEOVERS = 3
# The heartbeat of a run that its process gave up: older than any other.
GIVEN_UP = datetime(1970, 1, 1, tzinfo=UTC)
UNDER_WAY = (ToolRunState.REQUESTED, ToolRunState.RUNNING)
# These two are asked twice a second: to make the statements anew would be most of the work.
_ORPHANS = """
SELECT id, lease FROM chat_agentrun
WHERE status IN ('queued', 'running', 'awaiting_approval')
  AND (heartbeat_at < %s OR (heartbeat_at IS NULL AND created_at < %s))
"""
_asked_to_stop = Prepared(
    lambda _: AgentRun.objects.filter(
        cancel_requested_at__isnull=False, status__in=ACTIVE_STATUSES
    ).only("pk")
)
_key = AgentRun._meta.pk


def orphans() -> list[tuple[UUID, int]]:
    """Active runs without a sign of life, as (id, lease)."""
    silent_since = connection.ops.adapt_datetimefield_value(_deadline())
    with connection.cursor() as cursor:
        cursor.execute(_ORPHANS, [silent_since, silent_since])
        return [(_key.to_python(run_id), lease) for run_id, lease in cursor.fetchall()]


def _silent() -> Q:
    deadline = _deadline()
    return Q(heartbeat_at__lt=deadline) | Q(heartbeat_at=None, created_at__lt=deadline)


def _deadline() -> datetime:
    return clock() - timedelta(seconds=ORPHANED_AFTER_SECONDS)


def asked_to_stop() -> list[UUID]:
    """The active runs of all processes that somebody wants stopped, by id."""
    return [run.pk for run in _asked_to_stop()]


def take_over(run_id: UUID, lease: int) -> tuple[AgentRun, Steps] | None:
    """Make an orphaned run ours; None if another process was faster, or its own is back."""
    now = timezone.now()
    mine = AgentRun.objects.filter(_silent(), pk=run_id, lease=lease, status__in=ACTIVE_STATUSES)
    is_waiting = Q(status=RunStatus.AWAITING_APPROVAL)
    others = ToolRun.objects.filter(run=OuterRef("pk"), state__in=UNDER_WAY)
    # What only waits for a person is nobody's death; what goes on beside that may be.
    has_died = Q(heartbeat_at__gt=GIVEN_UP) & (~is_waiting | Exists(others))
    is_won = mine.update(
        lease=F("lease") + 1,
        takeovers=F("takeovers") + Case(When(has_died, then=1), default=0),
        status=Case(When(is_waiting, then=F("status")), default=Value(RunStatus.RUNNING)),
        started_at=Case(When(started_at=None, then=now), default=F("started_at")),
        heartbeat_at=clock(),
    )
    if not is_won:
        return None
    # The call that asked is lost with its process; nobody waits for the answer.
    InputRequest.objects.filter(run=run_id, state=InputRequest.State.OPEN).update(
        state=InputRequest.State.CANCELLED
    )
    rows = RunEvent.objects.filter(run_id=run_id).order_by("seq")
    steps = Steps.of(row.to_event() for row in rows.iterator())
    return AgentRun.objects.select_related("conversation").get(pk=run_id), steps


def give_up(run_id: UUID, lease: int) -> None:
    """Let another process have a run of ours at once."""
    ours = AgentRun.objects.filter(pk=run_id, lease=lease, status__in=ACTIVE_STATUSES)
    # Under a new lease: a heartbeat of ours that is still on its way must not take it back.
    ours.update(heartbeat_at=GIVEN_UP, lease=F("lease") + 1)


def ending_of(run: AgentRun, steps: Steps) -> events.ChatEvent | None:
    """How a run that was taken over has to end; None where it is to be gone on with."""
    if run.cancel_requested_at:
        return events.done(steps.final_text, finish_reason="cancelled", usage={})
    if steps.waits_only():
        # There was nothing that could be interrupted.
        return None
    if settings.RUN_RECOVERY == "interrupt":
        return events.error(say("The server stopped while it answered."), code=INTERRUPTED)
    if run.takeovers > MAX_TAKEOVERS:
        text = say("The server stopped {count} times while it answered.", count=run.takeovers)
        return events.error(text, code=INTERRUPTED)
    return None
