"""What people and models used: answers, tokens, cost, from the rows of UsageEntry alone."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Count, F, Q, Sum
from django.utils.translation import gettext

from chat.admin.figures.spans import Slot, Span, counted
from chat.language import number
from chat.models import UsageEntry
from chat.usage import dollars

# Person, model, answers, tokens read, tokens written, cost, answers that told nothing.
Row = tuple[int | None, str, int, int | None, int | None, float | None, int]
# Those who used most.
MAX_PEOPLE = 200


@dataclass(kw_only=True, slots=True)
class Figures:
    """Of a person, of a model, or of a day. None is unknown."""

    name: str
    key: str = ""
    runs: int = 0
    read: int | None = None
    written: int | None = None
    cost: float | None = None
    silent: int = 0

    def add(self, row: Row) -> None:
        _, _, runs, read, written, cost, silent = row
        self.runs += runs
        self.read = _sum(self.read, read)
        self.written = _sum(self.written, written)
        self.cost = _sum(self.cost, cost)
        self.silent += silent

    @property
    def tokens(self) -> int:
        return (self.read or 0) + (self.written or 0)

    @property
    def shown(self) -> list[str]:
        """Answers, tokens in, tokens out, cost, as cells of a table."""
        known = ("–" if count is None else number(count) for count in (self.read, self.written))
        return [number(self.runs), *known, dollars(self.cost) or "–"]


@dataclass(kw_only=True, slots=True)
class UsageOf:
    """All of a span; `days` has each slot, also those in which nothing was used."""

    total: Figures
    days: list[tuple[Slot, Figures]] = field(default_factory=list)
    people: list[Figures] = field(default_factory=list)
    models: list[Figures] = field(default_factory=list)
    left_out: int = 0


def usage_of(span: Span, *, person: int | None = None, model_name: str = "") -> UsageOf:
    """Of all, or of one person, or of one model. A query for each slot, see `counted`."""
    people: dict[int | None, Figures] = {}
    models: dict[str, Figures] = {}
    found = UsageOf(total=Figures(name=gettext("All")))
    for slot, rows in counted("usage", span, _count):
        day = Figures(name=slot.label)
        for row in rows:
            if (person is not None and row[0] != person) or (model_name and row[1] != model_name):
                continue
            by_person = people.setdefault(row[0], Figures(name="", key=str(row[0] or "")))
            by_model = models.setdefault(row[1], Figures(name=row[1], key=row[1]))
            for figures in (found.total, day, by_person, by_model):
                figures.add(row)
        found.days.append((slot, day))
    found.people = _most(people.values())[:MAX_PEOPLE]
    found.left_out = len(people) - len(found.people)
    found.models = _most(models.values())
    _name(found.people)
    return found


def _count(slot: Slot) -> list[Row]:
    entries = UsageEntry.objects.filter(at__gte=slot.start, at__lt=slot.end).order_by()
    # As an expression: an index on the person would lead through all of the past.
    grouped = entries.annotate(of=F("person") + 0).values_list("of", "model_name")
    silent = Q(input_tokens=None, output_tokens=None, runs=1)
    sums: dict[str, Any] = {
        "answers": Sum("runs"),
        "read": Sum("input_tokens"),
        "written": Sum("output_tokens"),
        "paid": Sum("cost"),
        "silent": Count("pk", filter=silent),
    }
    return list(grouped.annotate(**sums))


def _most(found: Iterable[Figures]) -> list[Figures]:
    return sorted(found, key=lambda figures: (-(figures.cost or 0), -figures.tokens, -figures.runs))


def _name(people: list[Figures]) -> None:
    users = get_user_model().objects.in_bulk([int(each.key) for each in people if each.key])
    for each in people:
        user = users.get(int(each.key)) if each.key else None
        each.name = str(user) if user else gettext("Deleted people")


def _sum(one: Any, other: Any) -> Any:
    return other if one is None else one + (other or 0)
