"""One condition on tool calls in two forms: one by which an index is read, and one beside it."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import BooleanField, Exists, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact, In

from chat.ledger.filters import NOT_ASKED, Filters
from chat.models import SLOW_MS, AgentRun, Approval, ToolRun

# Of some conversations, the newest.
MAX_RUNS = 20_000


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Condition:
    """`leads` is found by an index, and `is_in_order` if that has the newest first.

    `beside` asks the same of the calls that another index leads to: a database without
    statistics, as SQLite mostly is, would else choose any of the indexes.
    """

    leads: Q
    beside: Q
    is_in_order: bool = True
    # What to count instead of the calls themselves, where those would have to be joined.
    counted: QuerySet[Any] | None = None


def conditions_of(filters: Filters) -> Iterator[Condition]:
    """All but the times, which go with each index.

    In an order: of two that many calls fulfil the first one leads, for its index has the other.
    """
    if filters.tool:
        yield is_same("tool", filters.tool)
    if filters.server:
        yield is_same("server", filters.server)
    if filters.person:
        yield is_same("owner", filters.person)
    if filters.outcome:
        yield is_same("state", filters.outcome)
    if filters.over_ms:
        yield _is_slow(filters.over_ms)
    if filters.conversation:
        yield is_in([filters.conversation])
    if filters.approval and filters.approval != NOT_ASKED:
        yield _was_asked(filters.approval)


def is_same(name: str, value: Any) -> Condition:
    return Condition(leads=Q(**{name: value}), beside=Q(Exact(_plain(name), value)))


def is_one_of(tools: list[str]) -> Condition:
    beside = Q(In(_plain("tool"), tools))
    return Condition(leads=Q(tool__in=tools), beside=beside, is_in_order=False)


def is_in(conversations: Iterable[UUID]) -> Condition:
    runs = AgentRun.objects.filter(conversation__in=conversations).order_by("-created_at")
    # As a list: how many they are cannot be misjudged, as that of a subquery was.
    calls = _of_runs(list(runs.values_list("pk", flat=True)[:MAX_RUNS]))
    return Condition(leads=calls, beside=calls, is_in_order=False, counted=runs)


def _of_runs(runs: list[UUID]) -> Q:
    """By one parameter: thousands of them cost more to read than what they find, and SQLite keeps
    the query prepared for as many as there are."""
    if connection.vendor == "sqlite":
        keys = json.dumps([run.hex for run in runs])
        among = "chat_toolrun.run_id IN (SELECT value FROM json_each(%s))"
        return Q(RawSQL(among, [keys], BooleanField()))  # noqa: S611 (a constant)
    return Q(RawSQL("chat_toolrun.run_id = ANY(%s::uuid[])", [runs], BooleanField()))


def _is_slow(over_ms: int) -> Condition:
    # Word for word what the index says, and no parameter: else SQLite would not see it.
    indexed = RawSQL(f"chat_toolrun.duration_ms > {SLOW_MS}", (), BooleanField())  # noqa: S611 (a constant)
    slow = Q(duration_ms__gt=over_ms)
    return Condition(leads=Q(indexed) & slow, beside=slow)


def _was_asked(state: str) -> Condition:
    asked = Approval.objects.filter(state=state).order_by()
    return Condition(
        leads=Q(pk__in=asked.values("tool_run")),
        beside=Q(Exists(asked.filter(tool_run=OuterRef("pk")))),
        is_in_order=False,
        counted=asked,
    )


def _plain(name: str) -> Coalesce:
    field: Any = ToolRun._meta.get_field(name)
    return Coalesce(name, name, output_field=getattr(field, "target_field", field))
