"""Deleting conversations: at once for the person, for good when nobody can want them back."""

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from chat.models import (
    ACTIVE_STATUSES,
    AgentRun,
    Conversation,
    LedgerEntry,
    RunEvent,
    ToolRun,
    undo_deadline,
)
from chat.runs.pool import in_pool, in_writer
from chat.runs.upkeep.sealing import sign_off

AT_ONCE = 20
# Another process's clock may go differently; what it still brings back must be there.
GRACE_SECONDS = 60


def mark_deleted(conversation: Conversation) -> list[AgentRun]:
    """From now on it is there for nobody. Its active runs, which are to be stopped."""
    here = Conversation.objects.filter(pk=conversation.pk, deleted_at=None)
    here.update(deleted_at=timezone.now())
    return list(conversation.runs.filter(status__in=ACTIVE_STATUSES))


async def erase_deleted() -> None:
    """With runs, events, tool runs and files; a run that is still being stopped is waited for."""
    for conversation_id in await in_pool(to_be_erased):
        await erase_whole(conversation_id, LedgerEntry.Why.PERSON)


async def erase_whole(conversation_id: UUID, why: LedgerEntry.Why) -> None:
    """Erase it without making others wait."""
    runs = AgentRun.objects.filter(conversation=conversation_id)
    for run_id in await in_pool(list, runs.values_list("pk", flat=True)):
        # The many rows first, run by run: whoever else writes does not wait long.
        await in_writer(RunEvent.objects.filter(run_id=run_id).delete)
    await in_writer(erase, conversation_id, why)


def erase(conversation_id: UUID, why: LedgerEntry.Why) -> None:
    """For good, with all that belongs to it; its tool calls' places in the chain stay, signed."""
    with transaction.atomic():
        sign_off(ToolRun.objects.filter(run__conversation=conversation_id), why)
        Conversation.objects.filter(pk=conversation_id).delete()


def to_be_erased() -> list[UUID]:
    long_ago = undo_deadline() - timedelta(seconds=GRACE_SECONDS)
    deleted = Conversation.objects.filter(deleted_at__lt=long_ago)
    idle = deleted.exclude(runs__status__in=ACTIVE_STATUSES)
    return list(idle.values_list("pk", flat=True)[:AT_ONCE])
