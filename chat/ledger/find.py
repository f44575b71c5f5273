"""Finds tool calls, newest first, in pages that begin where another one ended.

However many calls there are, a page is read off one index; where several filters could lead,
the one with the fewest calls does. See docs/decisions/0020-finding-tool-calls.md.
"""

import functools
import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice
from time import perf_counter
from typing import Any, Self
from uuid import UUID

from django.core.cache import cache
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from chat.excerpts import Query
from chat.ledger.conditions import Condition, conditions_of, is_in, is_one_of, is_same
from chat.ledger.filters import NOT_ASKED, Filters
from chat.ledger.search import tools_named
from chat.models import Approval, ToolRun
from chat.search import titled

# So far the calls that are found are counted, and those that an index could lead through.
MAX_COUNTED = 1_000
MAX_LED = 20_000
# So many are sorted, where no index has them in order.
MAX_SORTED = 10_000
# Of a search: this many tools each by itself, the others together.
MAX_BRANCHES = 12
MAX_TITLES = 300
# A count that takes so long is kept for so long: one goes on to the next page meanwhile.
LONG_SECONDS = 0.03
KEPT_SECONDS = 60
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Rows = QuerySet[ToolRun]
Amount = Callable[[Condition], int]


@dataclass(frozen=True, order=True, slots=True)
class Place:
    """Where a call stands in the ledger."""

    created_at: datetime
    pk: UUID

    @classmethod
    def read(cls, text: str) -> Self | None:
        """None for what is no place."""
        microseconds, _, pk = text.partition("-")
        try:
            return cls(EPOCH + timedelta(microseconds=int(microseconds)), UUID(pk))
        except (ValueError, OverflowError):
            return None

    def __str__(self) -> str:
        return f"{(self.created_at - EPOCH) // timedelta(microseconds=1)}-{self.pk.hex}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Calls older than `before`, or newer than `after`: those next to it."""

    before: Place | None = None
    after: Place | None = None

    def of(self, rows: Rows) -> Rows:
        if self.after:
            at, pk = self.after.created_at, self.after.pk
            newer = Q(created_at__gt=at) | Q(pk__gt=pk)
            return rows.filter(newer, created_at__gte=at).order_by("created_at", "pk")
        if self.before:
            at, pk = self.before.created_at, self.before.pk
            rows = rows.filter(Q(created_at__lt=at) | Q(pk__lt=pk), created_at__lte=at)
        return rows.order_by("-created_at", "-pk")


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """Exact, unless it says otherwise."""

    number: int
    is_about: bool = False
    is_more: bool = False


class Ledger:
    """The calls that pass the filters."""

    def __init__(self, filters: Filters) -> None:
        self.filters = filters
        self._branches = list(_branches(filters))

    def places(self, count: int, window: Window) -> list[Place]:
        """Of at most so many calls, next to the window's edge first."""
        found = [_places(window.of(rows)[:count]) for rows in self._branches]
        merged = heapq.merge(*found, reverse=window.after is None)
        # A call may be in several branches.
        return list(islice(dict.fromkeys(merged), count))

    def page(self, count: int, window: Window) -> list[ToolRun]:
        """The same as rows, newest first, without their results."""
        return rows_at(self.places(count, window), "result")

    def chunks(self, count: int) -> Iterator[list[ToolRun]]:
        """All of them, so many at a time, newest first."""
        places = self.places(count, Window())
        while places:
            yield rows_at(places)
            places = self.places(count, Window(before=places[-1]))

    def count(self) -> Count:
        """How many; costs little, however many there are. What took long holds for a minute."""
        key = f"chat.ledger.count.{sha256(repr(self.filters).encode()).hexdigest()}"
        known: Count | None = cache.get(key)
        if known is not None:
            return known
        began = perf_counter()
        count = self._count()
        if perf_counter() - began > LONG_SECONDS:
            cache.set(key, count, KEPT_SECONDS)
        return count

    def _count(self) -> Count:
        counts = [_counted(_in_order(rows), MAX_COUNTED) for rows in self._branches]
        found = sum(counts)
        if max(counts) <= MAX_COUNTED:
            return Count(number=found, is_about=len([each for each in counts if each]) > 1)
        if self.filters == Filters():
            return Count(number=max(_estimated(), found), is_about=True)
        return Count(number=MAX_COUNTED, is_more=True)


def rows_at(places: list[Place], *left_out: str) -> list[ToolRun]:
    """With what lists and exports show of them; those that are gone by now are left out."""
    beside = ("run__conversation", "owner", "approval__decided_by")
    rows = ToolRun.objects.select_related(*beside).only(*_READ).defer(*left_out)
    found = rows.in_bulk([place.pk for place in places])
    return [found[place.pk] for place in sorted(places, reverse=True) if place.pk in found]


# Of what stands beside a call.
_READ = (
    *("run__model_name", "run__conversation__title", "owner__username"),
    *("approval__state", "approval__decided_at", "approval__changed_arguments"),
    "approval__decided_by__username",
    *(field.attname for field in ToolRun._meta.concrete_fields),
)


def _places(rows: Rows) -> list[Place]:
    return [Place(*row) for row in rows.values_list("created_at", "pk")]


def _branches(filters: Filters) -> Iterator[Rows]:
    """Queries that together find what the filters ask for, each of them by one index."""
    given = list(conditions_of(filters))
    amount = _amounts(_timely(filters))
    if not filters.q:
        yield _rows(filters, amount, given)
        return
    yield _rows(filters, amount, [*given, is_same("call_id", filters.q)])
    query = Query.read(filters.q)
    tools = tools_named(query)
    for name in tools[:MAX_BRANCHES]:
        yield _rows(filters, amount, [is_same("tool", name), *given])
    if tools[MAX_BRANCHES:]:
        yield _rows(filters, amount, [*given, is_one_of(tools[MAX_BRANCHES:])])
    if conversations := titled(query, MAX_TITLES):
        yield _rows(filters, amount, [*given, is_in(conversations)])


def _rows(filters: Filters, amount: Amount, conditions: Sequence[Condition]) -> Rows:
    rows = _timely(filters)
    leader = _leader(amount, conditions)
    for condition in conditions:
        rows = rows.filter(condition.leads if condition is leader else condition.beside)
    if filters.approval == NOT_ASKED:
        rows = rows.filter(~Exists(Approval.objects.filter(tool_run=OuterRef("pk"))))
    return rows


def _timely(filters: Filters) -> Rows:
    rows = ToolRun.objects.all()
    if filters.since:
        rows = rows.filter(created_at__gte=filters.since)
    return rows.filter(created_at__lt=filters.until) if filters.until else rows


def _leader(amount: Amount, conditions: Sequence[Condition]) -> Condition | None:
    """The one that fewest calls fulfil; none of those that would have too many of them sorted."""
    if len(conditions) == 1 and conditions[0].is_in_order:
        return conditions[0]
    able = [each for each in conditions if each.is_in_order or amount(each) <= MAX_SORTED]
    return min(able, key=amount, default=None)


def _amounts(rows: Rows) -> Amount:
    """How many calls fulfil a condition, up to MAX_LED and one; looked up once for each."""

    @functools.cache
    def amount(condition: Condition) -> int:
        alike = condition.counted
        found = _in_order(rows.filter(condition.leads)) if alike is None else alike
        return _counted(found, MAX_LED)

    return amount


def _in_order(rows: Rows) -> Rows:
    """So that the index is read which has them in order."""
    return rows.order_by("-created_at", "-pk")


def _counted(rows: QuerySet[Any], most: int) -> int:
    """How many, up to `most` and one."""
    return rows[: most + 1].count()


def _estimated() -> int:
    """About how many calls there are, without counting them."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT max(rowid) FROM chat_toolrun")
        else:
            cursor.execute(
                "SELECT reltuples::bigint FROM pg_class WHERE oid = 'chat_toolrun'::regclass"
            )
        (estimate,) = cursor.fetchone()
    # PostgreSQL says -1 of a table that it has not looked at yet.
    return int(estimate)
