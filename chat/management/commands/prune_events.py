"""manage.py prune_events: the big table keeps what somebody may still replay, no more."""

import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count, Q
from django.template.defaultfilters import pluralize
from django.utils import timezone

from chat.events import Kind
from chat.models import AgentRun, RunEvent

ROWS_AT_ONCE = 2000
# The server stores the events of its runs in between.
PAUSE_SECONDS = 0.1
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
# The page reads these from their rows; all else is in the messages too.
KEPT = Kind.NOTICE


class Command(BaseCommand):
    help = (
        "Delete the events of runs that ended long ago. Messages, runs and tool runs stay: "
        "conversations look as before, only their answers cannot be replayed any more."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than", required=True, metavar="AGE", help="such as 90d, 12w or 36h"
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what there is to do")

    def handle(self, *, older_than: str, dry_run: bool, **options: Any) -> None:
        before = timezone.now() - age(older_than)
        found = runs_with_events(before)
        if not dry_run:
            for number, run_ids in enumerate(batches(found)):
                time.sleep(PAUSE_SECONDS if number else 0)
                RunEvent.objects.filter(run__in=run_ids).exclude(kind=KEPT).delete()
        rows = sum(count for _, count in found)
        self.stdout.write(
            f"{'There are' if dry_run else 'Deleted'} {rows:,} rows with the events "
            f"of {len(found):,} run{pluralize(len(found))} "
            f"that ended before {before:%Y-%m-%d %H:%M} UTC."
        )


def age(text: str) -> timedelta:
    """Raises CommandError with what it should have been."""
    parts = re.fullmatch(r"([0-9]{1,5})([hdw])", text)
    if parts is None or int(parts[1]) == 0:
        raise CommandError(
            f"--older-than must be a number of hours, days or weeks, as in 36h, 90d or 12w; "
            f"it is {text!r}."
        )
    return int(parts[1]) * UNITS[parts[2]]


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
