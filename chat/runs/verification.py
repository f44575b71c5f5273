"""Goes through the chain of tool calls, and says what is not as it was sealed. Changes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef, Q

from chat.models import Approval, LedgerEntry, LedgerHead, ToolRun
from chat.models.ledger import (
    COVERED,
    DECIDER,
    REMOVED_RESULT,
    digest_of,
    is_marked,
    is_signed,
    result_digest_of,
)
from chat.models.tool_runs import GOING

ENTRIES_AT_ONCE = 500
ROWS_AT_ONCE = 20
Removed = LedgerEntry.Removed

CHANGED = "it was changed after it was sealed"
GONE = "it is gone, and nobody has signed for that"
BACK = "it was removed, and is there again"
FORGED = "the entry was changed, moved or inserted: its seal is not ours"
FORGED_REMOVAL = "the entry says that something was removed, and nobody has signed for that"
MISSING = "the entry is missing"
NO_PLACE = "it is in no place of the chain: it was inserted, or its entry was taken out"
NO_HEAD = "the end of the chain is not signed by us"
CUT = "the end of the chain is missing"
UNEXPECTED = "the chain is not the one that was noted: another seal stands here"


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """What is wrong with which place of the chain, or with which tool run."""

    what: str
    number: int | None = None
    last: int | None = None
    tool_run: UUID | None = None

    def __str__(self) -> str:
        place = "" if self.number is None else f"#{self.number}"
        place += f"–{self.last}" if self.last and self.last != self.number else ""
        named = f"tool run {self.tool_run}" if self.tool_run else ""
        return f"{' '.join(filter(None, (place, named)))}: {self.what}".removeprefix(": ")


@dataclass(slots=True)
class Verification:
    """One pass. `count` is how many places it has seen; `number` and `seal` are the last one's.

    `expected` is a number and its seal that somebody has noted elsewhere. Memory does not grow
    with the chain.
    """

    expected: tuple[int, str] | None = None
    count: int = 0
    number: int = 0
    seal: str | None = ""
    _known: list[tuple[int, str]] = field(default_factory=list)

    def problems(self) -> Iterator[Problem]:
        """What is wrong, in the order of the chain; then tool runs that are not in it."""
        head = LedgerHead.objects.first()
        is_signed_head = head.is_ours if head else not LedgerEntry.objects.exists()
        self._known = [(head.number, head.seal)] if head and is_signed_head and head.number else []
        self._known += [self.expected] if self.expected else []
        while entries := self._page():
            before = self.number, self.seal
            found = list(self._judge(entries))
            if found:
                # Something may have been removed while we looked.
                self.number, self.seal = before
                entries = self._page()
                found = list(self._judge(entries))
            self.count += len(entries)
            yield from found
        if not is_signed_head:
            yield Problem(what=NO_HEAD)
        last = max((number for number, _ in self._known), default=0)
        if last > self.number:
            yield Problem(what=CUT, number=self.number + 1, last=last)
        yield from _without_place()

    def _page(self) -> list[LedgerEntry]:
        after = LedgerEntry.objects.filter(number__gt=self.number).order_by("number")
        return list(after[:ENTRIES_AT_ONCE])

    def _judge(self, entries: list[LedgerEntry]) -> Iterator[Problem]:
        rows = dict(_digests(entries))
        for entry in entries:
            if entry.begins > self.number + 1:
                yield Problem(what=MISSING, number=self.number + 1, last=entry.begins - 1)
                # What it follows is not known.
                self.seal = None
            known = (seal for number, seal in self._known if number == entry.number)
            if any(seal != entry.seal for seal in known):
                yield Problem(what=UNEXPECTED, number=entry.number)
            yield from self._problems_of(entry, rows)
            self.number, self.seal = entry.number, entry.seal

    def _problems_of(self, entry: LedgerEntry, rows: dict[UUID, str]) -> Iterator[Problem]:
        place: dict[str, Any] = {"number": entry.number, "tool_run": entry.tool_run}
        is_removed = entry.removed in {Removed.ALL, Removed.STRETCH}
        if entry.removed and not is_signed(entry.removal_parts(), entry.removal_seal):
            yield Problem(what=FORGED_REMOVAL, **place)
        if entry.removed == Removed.STRETCH:
            return
        if self.seal is not None and not is_signed(entry.parts(self.seal), entry.seal):
            yield Problem(what=FORGED, **place)
        digest = rows.get(entry.tool_run) if entry.tool_run else None
        if is_removed and digest:
            yield Problem(what=BACK, **place)
        elif not is_removed and digest != entry.digest:
            yield Problem(what=CHANGED if digest else GONE, **place)


def _digests(entries: list[LedgerEntry]) -> Iterator[tuple[UUID, str]]:
    """Of the tool runs that these entries are about, as far as they are there."""
    of = {entry.tool_run: entry for entry in entries if entry.tool_run}
    rows = ToolRun.objects.filter(pk__in=list(of)).values(*COVERED, DECIDER, "result")
    for row in rows.iterator(ROWS_AT_ONCE):
        entry = of[row["id"]]
        is_emptied = entry.removed == Removed.RESULT and row["result"] == REMOVED_RESULT
        result = entry.result_digest if is_emptied else result_digest_of(row["result"])
        yield row["id"], digest_of(row, result, _decider(row, entry))


def _decider(row: dict[str, Any], entry: LedgerEntry) -> int | None:
    """As it was sealed, if all that has changed is that their account is gone."""
    if row[DECIDER] is None and entry.decided_by is not None:
        is_there = get_user_model().objects.filter(pk=entry.decided_by).exists()
        return None if is_there else entry.decided_by
    decider: int | None = row[DECIDER]
    return decider


def _without_place() -> Iterator[Problem]:
    """Finished tool runs that are neither in the chain nor on their way into it."""
    head = LedgerHead.objects.first()
    entry = LedgerEntry.objects.filter(tool_run=OuterRef("pk"))
    finished = ToolRun.objects.exclude(state__in=GOING).filter(~Exists(entry))
    settled = finished.filter(Q(approval=None) | ~Q(approval__state=Approval.State.OPEN))
    names = ("id", "run_id", "call_id", "state", "result", "mark", "is_sealed", "created_at")
    for row in settled.order_by().values(*names).iterator(ROWS_AT_ONCE):
        adopts_before = head and head.adopts_before
        is_older = not row["mark"] and adopts_before and row["created_at"] < adopts_before
        if row["is_sealed"] or not (is_older or is_marked(row)):
            yield Problem(what=NO_PLACE, tool_run=row["id"])
