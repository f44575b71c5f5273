"""Runs whose process is gone, or gave them up: whoever notices first goes on with them."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Case, F, Q, When
from django.utils import timezone

from chat import events
from chat.models import ACTIVE_STATUSES, AgentRun, InputRequest, RunEvent, RunStatus
from chat.runs.recorder import INTERRUPTED
from chat.steps import Steps

# Three heartbeats missed.
ORPHANED_AFTER_SECONDS = 15
MAX_TAKEOVERS = 3
# The heartbeat of a run that its process gave up: older than any other.
GIVEN_UP = datetime(1970, 1, 1, tzinfo=UTC)


def orphans() -> list[tuple[UUID, int]]:
    """Active runs without a sign of life, as (id, lease)."""
    deadline = timezone.now() - timedelta(seconds=ORPHANED_AFTER_SECONDS)
    silent = Q(heartbeat_at__lt=deadline) | Q(heartbeat_at=None, created_at__lt=deadline)
    active = AgentRun.objects.filter(silent, status__in=ACTIVE_STATUSES)
    return list(active.values_list("pk", "lease"))


def asked_to_stop(run_ids: list[UUID]) -> list[UUID]:
    """Those of these runs that somebody wants stopped, by id."""
    asked = AgentRun.objects.filter(pk__in=run_ids, cancel_requested_at__isnull=False)
    return list(asked.values_list("pk", flat=True))


def take_over(run_id: UUID, lease: int) -> tuple[AgentRun, Steps] | None:
    """Make an orphaned run ours; None if another process was faster."""
    now = timezone.now()
    mine = AgentRun.objects.filter(pk=run_id, lease=lease, status__in=ACTIVE_STATUSES)
    has_died = Q(heartbeat_at__gt=GIVEN_UP)
    is_won = mine.update(
        lease=F("lease") + 1,
        takeovers=F("takeovers") + Case(When(has_died, then=1), default=0),
        status=RunStatus.RUNNING,
        started_at=Case(When(started_at=None, then=now), default=F("started_at")),
        heartbeat_at=now,
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
    if settings.RUN_RECOVERY == "interrupt":
        return events.error("The server stopped while it answered.", code=INTERRUPTED)
    if run.takeovers > MAX_TAKEOVERS:
        return events.error(
            f"The server stopped {run.takeovers} times while it answered.", code=INTERRUPTED
        )
    return None
