"""Sealing: a moment after a tool run has finished it gets its place in the chain.

Beside the runs, so that no answer waits for it; every process does, and takes turns at the head.
"""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from chat.models import Approval, LedgerEntry, LedgerHead, ToolRun
from chat.models.ledger import (
    COVERED,
    DECIDER,
    REMOVAL_FIELDS,
    digest_of,
    is_marked,
    is_signed,
    result_digest_of,
)
from chat.models.rows import Prepared
from chat.models.tool_runs import GOING
from chat.runs.pool import in_pool, in_writer

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1
BREATH_SECONDS = 0.05
AT_ONCE = 200
# Results may be large.
ROWS_AT_ONCE = 20
FOLDED_AT_ONCE = 500
GONE = (LedgerEntry.Removed.ALL, LedgerEntry.Removed.STRETCH)


class ChainBroken(Exception):
    """Its end is not signed by us: nothing is added until `verify_ledger` was asked why."""


@dataclass(slots=True)
class Waiting:
    """Finished tool runs without a place: key, digest and decider; and those not written by us.

    `is_open`: there is no chain yet, or one that still takes in what is older than itself.
    `since`: from when on was looked, and `last` the time of the newest.
    """

    is_open: bool
    since: datetime | None = None
    last: datetime | None = None
    ours: list[tuple[UUID, str, int | None]] = field(default_factory=list)
    foreign: list[UUID] = field(default_factory=list)

    @property
    def is_any(self) -> bool:
        return bool(self.ours or self.foreign or self.is_open)

    @property
    def is_full(self) -> bool:
        return len(self.ours) + len(self.foreign) >= AT_ONCE

    @property
    def is_last(self) -> bool:
        """There is no other, older or newer."""
        return self.since is None and not self.is_full

    @property
    def go_on_since(self) -> datetime | None:
        """Where to look next. PostgreSQL would go through all that was sealed just now."""
        return self.last if self.is_full else None


async def keep_sealing() -> None:
    """Seal what has finished, for ever."""
    is_told, since = False, None
    while True:
        is_behind = False
        try:
            waiting = await in_pool(to_be_sealed, since)
            if waiting.is_any:
                await in_writer(append, waiting)
            is_behind, since = not waiting.is_last, waiting.go_on_since
            is_told = False
        except ChainBroken:
            if not is_told:
                logger.error("The chain of tool calls is not ours: ask manage.py verify_ledger")
            is_told = True
        except Exception:  # It goes on when the database is back.
            logger.exception("Tool runs could not be sealed")
        await asyncio.sleep(BREATH_SECONDS if is_behind else LOOK_SECONDS)


def seal_all() -> None:
    """All that has finished by now. Raises ChainBroken."""
    waiting = None
    while not (waiting and waiting.is_last):
        waiting = to_be_sealed(waiting.go_on_since if waiting else None)
        append(waiting)


# Asked every second, and mostly all that is asked: so their statements are made once.
_head = Prepared(lambda _: LedgerHead.objects.order_by("pk")[:1])
_any_finished = Prepared(
    lambda _: ToolRun.objects.filter(is_sealed=False).exclude(state__in=GOING).only("pk")[:1]
)


def to_be_sealed(since: datetime | None = None) -> Waiting:
    """The oldest AT_ONCE, as they are now: what has finished changes no more."""
    head = next(iter(_head()), None)
    adopts_before = head.adopts_before if head else timezone.now()
    waiting = Waiting(is_open=adopts_before is not None, since=since)
    if not _any_finished():
        return waiting
    finished = ToolRun.objects.filter(is_sealed=False).exclude(state__in=GOING)
    settled = finished.filter(Q(approval=None) | ~Q(approval__state=Approval.State.OPEN))
    if since:
        settled = settled.filter(created_at__gte=since)
    rows = settled.order_by("created_at", "pk").values(*COVERED, DECIDER, "result", "mark")
    for row in rows[:AT_ONCE].iterator(ROWS_AT_ONCE):
        waiting.last = row["created_at"]
        is_older = not row["mark"] and adopts_before and row["created_at"] < adopts_before
        if is_older or is_marked(row):
            digest = digest_of(row, result_digest_of(row["result"]), row[DECIDER])
            waiting.ours.append((row["id"], digest, row[DECIDER]))
        else:
            waiting.foreign.append(row["id"])
    return waiting


def append(waiting: Waiting) -> None:
    """Give them their places, in one transaction. Raises ChainBroken."""
    for key in waiting.foreign:
        logger.error("Tool run %s was not written by us: it gets no place in the chain", key)
    keys = [key for key, _, _ in waiting.ours]
    with transaction.atomic():
        head = locked_head()
        if head is None or not head.is_ours:
            raise ChainBroken
        before = head.parts()
        # Another process may have been faster; or they are gone.
        free = set(
            ToolRun.objects.filter(pk__in=keys, is_sealed=False).values_list("pk", flat=True)
        )
        known = LedgerEntry.objects.filter(tool_run__in=keys)
        free -= set(known.values_list("tool_run", flat=True))
        LedgerEntry.objects.bulk_create(
            head.extend(key, digest, decider)
            for key, digest, decider in waiting.ours
            if key in free
        )
        ToolRun.objects.filter(pk__in=[*keys, *waiting.foreign]).update(is_sealed=True)
        if waiting.is_last:
            head.adopts_before = None
        if head.parts() != before:
            head.sign_and_save()


def fold() -> None:
    """Make each stretch of which all is gone one entry, FOLDED_AT_ONCE at a time.

    What does not verify stays as it is, for `verify_ledger` to tell of.
    """
    after, is_last = 0, False
    while not is_last:
        with transaction.atomic():
            locked_head()
            gone = LedgerEntry.objects.filter(removed__in=GONE, number__gt=after)
            page = list(gone.order_by("number")[:FOLDED_AT_ONCE])
            for stretch in _stretches(page):
                _fold(stretch)
        is_last = len(page) < FOLDED_AT_ONCE
        # The last one once more: what follows it may be of the same stretch.
        after = page[-1].number - 1 if page else 0


def _stretches(entries: list[LedgerEntry]) -> Iterator[list[LedgerEntry]]:
    stretch: list[LedgerEntry] = []
    for entry in entries:
        if stretch and (entry.begins != stretch[-1].number + 1 or not _follows(entry, stretch[-1])):
            yield stretch
            stretch = []
        stretch.append(entry)
    if stretch:
        yield stretch


def _follows(entry: LedgerEntry, before: LedgerEntry) -> bool:
    """Both are as we signed them, one behind the other."""
    is_whole = entry.removed == LedgerEntry.Removed.STRETCH
    return (is_whole or is_signed(entry.parts(before.seal), entry.seal)) and all(
        is_signed(each.removal_parts(), each.removal_seal) for each in (entry, before)
    )


def _fold(stretch: list[LedgerEntry]) -> None:
    if len(stretch) < 2:
        return
    *others, last = stretch
    last.first = stretch[0].begins
    last.remove(LedgerEntry.Removed.STRETCH, LedgerEntry.Why.RETENTION)
    LedgerEntry.objects.filter(pk__in=[entry.pk for entry in others]).delete()
    last.save(update_fields=REMOVAL_FIELDS)


def locked_head() -> LedgerHead | None:
    """The end of the chain, ours until the transaction ends; a first one where there is none."""
    if not LedgerHead.objects.exists() and not LedgerEntry.objects.exists():
        LedgerHead.objects.get_or_create(pk=1, defaults=LedgerHead.beginning())
    return LedgerHead.objects.select_for_update().first()


def sign_off(tool_runs: QuerySet[ToolRun], why: LedgerEntry.Why) -> None:
    """Sign that these are about to be deleted, in the transaction that does it.

    Nobody adds to the chain meanwhile.
    """
    locked_head()
    places = LedgerEntry.objects.filter(tool_run__in=tool_runs.order_by().values("pk"))
    entries = list(places)
    for entry in entries:
        entry.remove(LedgerEntry.Removed.ALL, why)
    LedgerEntry.objects.bulk_update(entries, REMOVAL_FIELDS, AT_ONCE)
