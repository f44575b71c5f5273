"""Those who read along: whether each may still see what it sees.

A request is checked when it comes; a stream or a socket stays open for hours. So all that are
open in this process are looked at again now and then, with four queries for all of them.
"""

import asyncio
import logging
import weakref
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from chat.models import AgentRun, ApiToken, Session
from chat.runs.pool import in_pool

logger = logging.getLogger(__name__)

# A stream asks at least as often (its keep-alive), so it ends 30 s after its right to, at most.
CHECK_SECONDS = 15


@dataclass(eq=False, kw_only=True, slots=True, weakref_slot=True)
class Reader:
    """Someone who reads, signed in by a session or by a token. `is_welcome` may turn false."""

    person_id: int
    session_key: str = ""
    token_hash: str = ""
    run_id: UUID | None = None
    on_refused: Callable[[], Awaitable[None]] | None = None
    is_welcome: bool = True

    def __post_init__(self) -> None:
        _open.add(self)


# Readers live as long as their streams and sockets do.
_open: "weakref.WeakSet[Reader]" = weakref.WeakSet()


async def keep_checking() -> None:
    """Look at all open readers, for ever."""
    while True:
        await asyncio.sleep(CHECK_SECONDS)
        try:
            await check(list(_open))
        except Exception:  # It goes on when the database is back.
            logger.exception("Open streams could not be checked")


async def check(readers: Collection[Reader]) -> None:
    """Turn away those who are signed out, or whose run is gone."""
    readers = [reader for reader in readers if reader.is_welcome]
    if not readers:
        return
    for reader in await in_pool(unwelcome, readers):
        reader.is_welcome = False
        if reader.on_refused:
            await reader.on_refused()


def unwelcome(readers: Collection[Reader]) -> list[Reader]:
    """Those of them who may not read on."""
    people = get_user_model().objects.filter(is_active=True)
    active = people.in_bulk({reader.person_id for reader in readers})
    sessions = _sessions({reader.session_key for reader in readers})
    tokens = ApiToken.objects.filter(
        token_hash__in={reader.token_hash for reader in readers}, revoked_at=None
    )
    valid = set(tokens.values_list("token_hash", "owner_id"))
    runs = AgentRun.objects.filter(
        pk__in={reader.run_id for reader in readers}, conversation__deleted_at=None
    )
    owners = dict(runs.values_list("pk", "owner_id"))

    def is_welcome(reader: Reader) -> bool:
        person = active.get(reader.person_id)
        if person is None or (reader.run_id and owners.get(reader.run_id) != person.pk):
            return False
        if reader.token_hash:
            return (reader.token_hash, person.pk) in valid
        return _is_session_of(person, sessions.get(reader.session_key, {}))

    return [reader for reader in readers if not is_welcome(reader)]


def _sessions(keys: set[str]) -> dict[str, dict[str, Any]]:
    """What is in these sessions, of those that are still open."""
    rows = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    return {row.session_key: row.get_decoded() for row in rows}


def _is_session_of(person: Any, session: dict[str, Any]) -> bool:
    """As for any request: a new password ends all older sessions."""
    proof = session.get(HASH_SESSION_KEY, "")
    is_proven = constant_time_compare(proof, person.get_session_auth_hash())
    return session.get(SESSION_KEY) == str(person.pk) and is_proven
