"""The last fourteen days of tool runs as a small chart, drawn here."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import cast

from django.core.cache import cache
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from chat.admin.figures.chart import Bar, bars_of
from chat.language import number
from chat.models import ToolRun, ToolRunState

DAYS = 14
WIDTH, HEIGHT = 462, 56
KEPT_SECONDS = 60
KEPT_SECONDS_OVER = 3600
FAILED = [ToolRunState.TOOL_ERROR, ToolRunState.TIMEOUT, ToolRunState.LOST, ToolRunState.BLOCKED]


@dataclass(frozen=True, kw_only=True, slots=True)
class LastDays:
    """The chart above the list, and its sums in words."""

    bars: list[Bar]
    total: int
    failed: int
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def total_shown(self) -> str:
        return number(self.total)

    @property
    def failed_shown(self) -> str:
        return number(self.failed)


def last_days() -> LastDays:
    """Today is counted at most once a minute, a day that is over once an hour."""
    today = timezone.now().astimezone(UTC).date()
    days = [today - timedelta(days=ago) for ago in reversed(range(DAYS))]
    counts = [_counted(day, KEPT_SECONDS if day == today else KEPT_SECONDS_OVER) for day in days]
    named = [(_told(day, *count), *count) for day, count in zip(days, counts, strict=True)]
    return LastDays(
        bars=bars_of(named, width=WIDTH, height=HEIGHT),
        total=sum(total for total, _failed in counts),
        failed=sum(failed for _total, failed in counts),
    )


def _told(day: date, total: int, failed: int) -> str:
    shown = {"day": date_format(day, "SHORT_DATE_FORMAT"), "total": total, "failed": failed}
    return _("%(day)s: %(total)s, failed %(failed)s") % shown


def _counted(day: date, seconds: int) -> tuple[int, int]:
    key = f"chat.admin.last_days.{day}"
    return cast("tuple[int, int]", cache.get_or_set(key, partial(_count, day), seconds))


def _count(day: date) -> tuple[int, int]:
    """All calls of a day and those that failed, each counted in an index alone."""
    # As moments, not as a date: only so the indexes are of use.
    midnight = datetime.combine(day, time.min, tzinfo=UTC)
    calls = ToolRun.objects.filter(
        created_at__gte=midnight, created_at__lt=midnight + timedelta(days=1)
    )
    return calls.count(), calls.filter(state__in=FAILED).count()
