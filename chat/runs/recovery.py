"""Runs whose process is gone: each gets its one ending, by whoever notices first."""

import logging
from datetime import timedelta
from uuid import UUID

from django.db.models import F, Q
from django.utils import timezone

from chat import events
from chat.errors import RunLost
from chat.models import ACTIVE_STATUSES, AgentRun, RunEvent, RunStatus
from chat.runs.journal import Journal
from chat.runs.pool import in_pool, in_writer
from chat.runs.recorder import INTERRUPTED, Recorder
from chat.steps import Steps

logger = logging.getLogger(__name__)

# Three heartbeats missed. With the sweep every second: over within 15 s of a restart.
ORPHANED_AFTER_SECONDS = 12


async def interrupt_orphans(journal: Journal) -> None:
    """Take over each orphaned run (a guarded update: one winner) and end it as interrupted."""
    for run_id, lease in await in_pool(orphans):
        taken = await in_writer(take_over, run_id, lease)
        if taken is None:
            continue
        run, steps = taken
        recorder = Recorder(journal, run, steps)
        try:
            await recorder.end(_ending(run, steps))
        except RunLost:
            logger.warning("Run %s was taken over by another process", run.pk)
        else:
            logger.info("Run %s had lost its process and was ended", run.pk)


def _ending(run: AgentRun, steps: Steps) -> events.ChatEvent:
    if run.cancel_requested_at:
        return events.done(steps.final_text, finish_reason="cancelled", usage={})
    return events.error("The server stopped while it answered.", code=INTERRUPTED)


def orphans() -> list[tuple[UUID, int]]:
    """Active runs without a sign of life, as (id, lease)."""
    deadline = timezone.now() - timedelta(seconds=ORPHANED_AFTER_SECONDS)
    silent = Q(heartbeat_at__lt=deadline) | Q(heartbeat_at=None, created_at__lt=deadline)
    active = AgentRun.objects.filter(silent, status__in=ACTIVE_STATUSES)
    return list(active.values_list("pk", "lease"))


def take_over(run_id: UUID, lease: int) -> tuple[AgentRun, Steps] | None:
    """Make an orphaned run ours; None if another process was faster."""
    mine = AgentRun.objects.filter(pk=run_id, lease=lease, status__in=ACTIVE_STATUSES)
    if not mine.update(lease=F("lease") + 1, status=RunStatus.RUNNING, heartbeat_at=timezone.now()):
        return None
    rows = RunEvent.objects.filter(run_id=run_id).order_by("seq")
    steps = Steps.of(row.to_event() for row in rows.iterator())
    return AgentRun.objects.get(pk=run_id), steps
