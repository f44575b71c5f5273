"""What people do to their conversations as a whole, and telling their other tabs of it."""

from typing import Any
from uuid import UUID

from django.utils import timezone

from chat.models import Conversation, has_news
from chat.runs import supervisor
from chat.runs.announce import announce_change
from chat.runs.pool import in_pool, in_writer
from chat.runs.upkeep.erasing import mark_deleted


async def find(owner: Any, pk: UUID) -> Conversation | None:
    return await in_pool(Conversation.objects.of(owner).filter(pk=pk).first)


async def see(conversation: Conversation) -> None:
    """Its owner has it before them: what has ended there is no news from now on."""
    here = Conversation.objects.filter(pk=conversation.pk)
    if await in_pool(here.filter(has_news()).exists):
        await in_writer(here.update, seen_at=timezone.now())
        announce_change(conversation, "changed")


async def change(conversation: Conversation, changed: dict[str, Any]) -> None:
    """See Conversation.change; `changed` holds its arguments."""
    await in_writer(conversation.change, **changed)
    announce_change(conversation, "changed")


async def remove(conversation: Conversation) -> None:
    """Delete it, to be undone for a while, and stop the answer that is in progress there."""
    for run in await in_writer(mark_deleted, conversation):
        await supervisor.cancel(run)
    announce_change(conversation, "deleted")


async def restore(owner: Any, pk: UUID) -> Conversation | None:
    """Bring back what was deleted; None if there is nothing, or no longer.

    What is there already is left as it is.
    """
    deleted = Conversation.objects.deleted_of(owner).filter(pk=pk)
    is_back = await in_writer(deleted.update, deleted_at=None)
    conversation = await find(owner, pk)
    if conversation is not None and is_back:
        announce_change(conversation, "restored")
    return conversation
