"""Retention: what is old enough goes, kind by kind, in small transactions beside the runs.

What goes of a sealed tool run is signed off in the chain, see chat/runs/upkeep/sealing.py.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.template.defaultfilters import pluralize
from django.utils import timezone

from chat.events import Kind
from chat.models import (
    ACTIVE_STATUSES,
    AgentRun,
    Attachment,
    Conversation,
    LedgerEntry,
    Message,
    RunEvent,
    ToolRun,
)
from chat.models.ledger import REMOVAL_FIELDS, REMOVED_RESULT, result_digest_of
from chat.runs.pool import in_pool, in_writer
from chat.runs.upkeep.erasing import erase
from chat.runs.upkeep.sealing import fold, locked_head

logger = logging.getLogger(__name__)

LOOK_SECONDS = 3600
ROWS_AT_ONCE = 2000
RUNS_AT_ONCE = 20
# The server stores the events of its runs in between.
PAUSE_SECONDS = 0.1
# The page reads these from their rows; all else is in the messages too.
KEPT = Kind.NOTICE

Part = Callable[[], object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ages:
    """How old each kind may become; None: it is kept for ever."""

    events: timedelta | None = None
    results: timedelta | None = None
    conversations: timedelta | None = None

    @classmethod
    def from_settings(cls) -> "Ages":
        days = (
            settings.RETENTION_EVENTS_DAYS,
            settings.RETENTION_RESULTS_DAYS,
            settings.RETENTION_CONVERSATIONS_DAYS,
        )
        events, results, conversations = (timedelta(days=n) if n else None for n in days)
        return cls(events=events, results=results, conversations=conversations)


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What there is to do of one kind: in words, and as parts that are a transaction each."""

    what: str
    parts: list[Part]


async def keep_pruning() -> None:
    """Once an hour, where a setting asks for it; for ever. Twice is harmless."""
    ages = Ages.from_settings()
    while ages != Ages():
        try:
            for work in await in_pool(works, ages):
                for part in work.parts:
                    await in_writer(part)
                    await asyncio.sleep(PAUSE_SECONDS)
        except Exception:  # It goes on when the database is back.
            logger.exception("What is old enough could not be removed")
        await asyncio.sleep(LOOK_SECONDS)


def works(ages: Ages) -> list[Work]:
    """Whole conversations first: nothing else has to be done for them then."""
    now = timezone.now()
    found = []
    if ages.conversations:
        found.append(of_conversations(now - ages.conversations))
    if ages.results:
        found.append(of_results(now - ages.results))
    if ages.events:
        found.append(of_events(now - ages.events))
    return found


def of_conversations(before: datetime) -> Work:
    """In which nothing was asked since; their places in the chain become one where they can."""
    old = Conversation.objects.filter(updated_at__lt=before).order_by("updated_at")
    idle = old.exclude(runs__status__in=ACTIVE_STATUSES)
    keys = list(idle.values_list("pk", flat=True))
    parts: list[Part] = [partial(erase, key, LedgerEntry.Why.RETENTION) for key in keys]
    count = f"{len(keys):,} conversation{pluralize(len(keys))}"
    return Work(what=f"{count} without a question since {_day(before)}", parts=[*parts, fold])


def of_results(before: datetime) -> Work:
    """What tools gave back in answers that ended before: texts and files. The calls stay."""
    ended = AgentRun.objects.filter(finished_at__lt=before, finished_at__isnull=False)
    sealed = Q(tool_runs__is_sealed=True) & ~Q(tool_runs__result__in=["", REMOVED_RESULT])
    held = ended.filter(sealed | Q(attachments__isnull=False))
    keys = list(held.order_by().values_list("pk", flat=True).distinct())
    groups = [keys[at : at + RUNS_AT_ONCE] for at in range(0, len(keys), RUNS_AT_ONCE)]
    count = f"{len(keys):,} answer{pluralize(len(keys))}"
    what = f"the tool results and files of {count} that ended before {_day(before)}"
    return Work(what=what, parts=[partial(remove_results, group) for group in groups])


def of_events(before: datetime) -> Work:
    found = runs_with_events(before)
    rows = sum(count for _, count in found)
    runs = f"{len(found):,} run{pluralize(len(found))}"
    return Work(
        what=f"{rows:,} rows with the events of {runs} that ended before {_day(before)}",
        parts=[partial(remove_events, run_ids) for run_ids in batches(found)],
    )


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def remove_results(run_ids: list[UUID]) -> None:
    """A sentence takes their place; their digests stay in the chain. Their events go as well."""
    with transaction.atomic():
        locked_head()
        rows = ToolRun.objects.filter(run__in=run_ids, is_sealed=True)
        _sign_off_results(rows.exclude(result__in=["", REMOVED_RESULT]))
        rows.exclude(result="").update(result=REMOVED_RESULT)
        remove_events(run_ids)
        for answer in Message.objects.filter(run__in=run_ids):
            for call in (call for step in answer.steps for call in step.get("calls", ())):
                call["result"] = REMOVED_RESULT
                call.pop("attachments", None)
            answer.save(update_fields=["steps"])
        Attachment.objects.filter(run__in=run_ids).delete()


def _sign_off_results(rows: QuerySet[ToolRun]) -> None:
    results: dict[UUID | None, str] = dict(rows.values_list("pk", "result"))
    places = LedgerEntry.objects.filter(tool_run__in=list(results), removed="")
    entries = list(places)
    for entry in entries:
        digest = result_digest_of(results[entry.tool_run])
        entry.remove(LedgerEntry.Removed.RESULT, LedgerEntry.Why.RETENTION, result_digest=digest)
    LedgerEntry.objects.bulk_update(entries, REMOVAL_FIELDS)


def remove_events(run_ids: list[UUID]) -> None:
    RunEvent.objects.filter(run__in=run_ids).exclude(kind=KEPT).delete()


def runs_with_events(before: datetime) -> list[tuple[UUID, int]]:
    """Runs that ended before then, with how many rows there are to delete."""
    runs = AgentRun.objects.filter(finished_at__lt=before).order_by()
    counted = runs.annotate(rows=Count("events__seq", filter=~Q(events__kind=KEPT)))
    return list(counted.filter(rows__gt=0).values_list("pk", "rows"))


def batches(found: list[tuple[UUID, int]]) -> Iterator[list[UUID]]:
    """Runs with some ROWS_AT_ONCE rows together; a larger one stands alone."""
    batch: list[UUID] = []
    rows = 0
    for run_id, count in found:
        if batch and rows + count > ROWS_AT_ONCE:
            yield batch
            batch, rows = [], 0
        batch.append(run_id)
        rows += count
    if batch:
        yield batch
