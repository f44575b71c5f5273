"""The last fourteen days of tool runs as a small chart, drawn here and kept for a minute."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import cast

from django.core.cache import cache
from django.db.models import Count, Q
from django.db.models.functions import TruncDate
from django.utils import timezone

from chat.models import ToolRun, ToolRunState

DAYS = 14
HEIGHT = 56
KEPT_SECONDS = 60
FAILED = [ToolRunState.TOOL_ERROR, ToolRunState.TIMEOUT, ToolRunState.LOST, ToolRunState.BLOCKED]


@dataclass(frozen=True, slots=True)
class Bar:
    """One day, in pixels of the chart."""

    day: date
    total: int
    failed: int
    x: int
    height: int
    failed_height: int

    @property
    def y(self) -> int:
        return HEIGHT - self.height

    @property
    def failed_y(self) -> int:
        return HEIGHT - self.failed_height


@dataclass(frozen=True, slots=True)
class Chart:
    bars: list[Bar]
    total: int
    failed: int

    @property
    def total_shown(self) -> str:
        return f"{self.total:,}"

    @property
    def failed_shown(self) -> str:
        return f"{self.failed:,}"


def last_days() -> Chart:
    """Counted at most once a minute: over a large log it is not free."""
    return cast("Chart", cache.get_or_set("chat.admin.chart", _count, KEPT_SECONDS))


def _count() -> Chart:
    today = timezone.now().date()
    first = today - timedelta(days=DAYS - 1)
    # As a moment, not as a date: only so the index on created_at is of use.
    midnight = datetime.combine(first, time.min, tzinfo=UTC)
    rows = (
        ToolRun.objects.filter(created_at__gte=midnight)
        .annotate(day=TruncDate("created_at"))
        .values_list("day")
        .annotate(total=Count("pk"), failed=Count("pk", filter=Q(state__in=FAILED)))
    )
    counts = {day: (total, failed) for day, total, failed in rows}
    highest = max((total for total, _ in counts.values()), default=1)
    bars = []
    for number in range(DAYS):
        day = first + timedelta(days=number)
        total, failed = counts.get(day, (0, 0))
        height = max(1, round(total * HEIGHT / highest))
        bars.append(Bar(day, total, failed, number * 33, height, round(failed * HEIGHT / highest)))
    return Chart(bars, sum(bar.total for bar in bars), sum(bar.failed for bar in bars))
