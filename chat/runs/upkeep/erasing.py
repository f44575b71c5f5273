"""Deleting conversations: at once for the person, for good when nobody can want them back."""

import asyncio
import logging
from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from chat.models import (
    ACTIVE_STATUSES,
    AgentRun,
    Conversation,
    RunEvent,
    undo_deadline,
)
from chat.runs.pool import in_pool, in_writer

logger = logging.getLogger(__name__)

LOOK_SECONDS = 60
AT_ONCE = 20
# Another process's clock may go differently; what it still brings back must be there.
GRACE_SECONDS = 60


def mark_deleted(conversation: Conversation) -> list[AgentRun]:
    """From now on it is there for nobody. Its active runs, which are to be stopped."""
    here = Conversation.objects.filter(pk=conversation.pk, deleted_at=None)
    here.update(deleted_at=timezone.now())
    return list(conversation.runs.filter(status__in=ACTIVE_STATUSES))


async def keep_erasing() -> None:
    """Erase what was deleted long enough ago, for ever. Every process does; twice is harmless."""
    while True:
        try:
            await erase_deleted()
        except Exception:  # It goes on when the database is back.
            logger.exception("Deleted conversations could not be erased")
        await asyncio.sleep(LOOK_SECONDS)


async def erase_deleted() -> None:
    """With runs, events, tool runs and files; a run that is still being stopped is waited for."""
    for conversation_id in await in_pool(to_be_erased):
        runs = AgentRun.objects.filter(conversation=conversation_id)
        for run_id in await in_pool(list, runs.values_list("pk", flat=True)):
            # The many rows first, run by run: whoever else writes does not wait long.
            await in_writer(RunEvent.objects.filter(run_id=run_id).delete)
        await in_writer(Conversation.objects.filter(pk=conversation_id).delete)


def to_be_erased() -> list[UUID]:
    long_ago = undo_deadline() - timedelta(seconds=GRACE_SECONDS)
    deleted = Conversation.objects.filter(deleted_at__lt=long_ago)
    idle = deleted.exclude(runs__status__in=ACTIVE_STATUSES)
    return list(idle.values_list("pk", flat=True)[:AT_ONCE])
