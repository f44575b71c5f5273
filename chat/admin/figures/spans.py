"""Spans of time that figures are of, in slots of an hour or a day each.

Slots that are over are counted once an hour, the one in progress every ten seconds, at most.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar, cast

from django.core.cache import cache
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
KEPT_SECONDS = 10
KEPT_SECONDS_OVER = 3600
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Slot:
    """Until `start + length`, exclusive."""

    start: datetime
    length: timedelta

    @property
    def end(self) -> datetime:
        return self.start + self.length

    @property
    def label(self) -> str:
        return date_format(self.start, "H:i" if self.length == HOUR else "SHORT_DATE_FORMAT")


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """As it is named in addresses and on the page; the newest slot is the one in progress."""

    name: str
    label: str | Promise
    count: int
    length: timedelta = DAY

    def slots(self) -> list[Slot]:
        """The oldest first."""
        now = timezone.localtime(timezone.now(), timezone.get_default_timezone())
        newest = now.replace(minute=0, second=0, microsecond=0)
        if self.length == DAY:
            newest = newest.replace(hour=0)
        starts = (newest - ago * self.length for ago in reversed(range(self.count)))
        return [Slot(start, self.length) for start in starts]


LAST_DAY = Span(name="24h", label=_("24 hours"), count=24, length=HOUR)
WEEK = Span(name="7d", label=_("7 days"), count=7)
MONTH = Span(name="30d", label=_("30 days"), count=30)
QUARTER = Span(name="90d", label=_("90 days"), count=90)


def chosen(name: str, spans: tuple[Span, ...]) -> Span:
    """The first one where there is none of that name."""
    return next((span for span in spans if span.name == name), spans[0])


def counted(what: str, span: Span, count: Callable[[Slot], T]) -> Iterator[tuple[Slot, T]]:
    """What `count` says of each slot, or said a moment ago. `what` names it among all others."""
    now = timezone.now()
    for slot in span.slots():
        key = f"figures.{what}.{slot.start:%Y%m%d%H}.{slot.length.total_seconds():.0f}"
        seconds = KEPT_SECONDS if slot.end > now else KEPT_SECONDS_OVER
        yield slot, cast("T", cache.get_or_set(key, partial(count, slot), seconds))
