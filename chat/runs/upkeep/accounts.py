"""Erasing what is over: closed accounts with all that is theirs, deleted chats, sessions."""

import asyncio
import logging
from contextlib import suppress
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from chat.models import (
    ACTIVE_STATUSES,
    AccountClosing,
    AgentRun,
    Conversation,
    Invitation,
    LedgerEntry,
    Session,
    ToolRun,
)
from chat.runs.pool import in_pool, in_writer
from chat.runs.upkeep.erasing import erase_deleted, erase_whole
from chat.runs.upkeep.sealing import ChainBroken, seal_all, sign_off

logger = logging.getLogger(__name__)

LOOK_SECONDS = 60


async def keep_erasing() -> None:
    """Erase what was deleted long enough ago, closed accounts and sessions that are over; for ever.

    Every process does; twice is harmless.
    """
    while True:
        try:
            await erase_deleted()
            await erase_closed()
            await in_writer(Session.objects.filter(expire_date__lt=timezone.now()).delete)
        except Exception:  # It goes on when the database is back.
            logger.exception("What is over could not be erased")
        await asyncio.sleep(LOOK_SECONDS)


async def erase_closed() -> None:
    """Those that can be; the others at the next look."""
    for person_id in await in_pool(closed):
        await erase_account(person_id)


def closed() -> list[int]:
    return list(AccountClosing.objects.values_list("person_id", flat=True))


async def erase_account(person_id: int) -> bool:
    """Whether it is gone now. Its tool calls keep their places in the chain, signed off."""
    if await in_pool(is_active, person_id):
        return False
    await in_writer(_seal)
    for conversation_id in await in_pool(conversations_of, person_id):
        await erase_whole(conversation_id, LedgerEntry.Why.ACCOUNT)
    await in_writer(_delete, person_id)
    return True


def _delete(person_id: int) -> None:
    with transaction.atomic():
        # As a rule there are none any more; whatever was begun meanwhile is signed for as well.
        sign_off(ToolRun.objects.filter(owner=person_id), LedgerEntry.Why.ACCOUNT)
        people = get_user_model().objects.filter(pk=person_id)
        theirs = Q(used_by=person_id) | Q(email__in=people.exclude(email="").values("email"))
        Invitation.objects.filter(theirs).update(email="")
        people.delete()


def is_active(person_id: int) -> bool:
    """Whether an answer of theirs is still being stopped."""
    return AgentRun.objects.filter(owner=person_id, status__in=ACTIVE_STATUSES).exists()


def conversations_of(person_id: int) -> list[UUID]:
    return list(Conversation.objects.filter(owner=person_id).values_list("pk", flat=True))


def _seal() -> None:
    """What has just finished gets its place first: that there was a call stays on record."""
    with suppress(ChainBroken):
        seal_all()
