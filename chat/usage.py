"""What answers used: tokens and US dollars, as values and in words. Asks no database.

A figure that the model's API did not give is unknown: it is left out, and never counts as 0.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import floor, log10
from typing import Any, Self, TypeVar

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chat.language import number

UNBELIEVABLE = 10**15
Number = TypeVar("Number", int, float)


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What one answer used; None is unknown. `cost` is in US dollars."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost: float | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """From AgentRun.usage. What is no believable number is unknown."""
        counts = {
            name: int(count)
            for name in ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
            if (count := _number(data.get(name))) is not None
        }
        return cls(**counts, cost=_number(data.get("cost")))

    @property
    def tokens(self) -> int | None:
        """In and out, as far as they are known; None if neither is."""
        return _sum([self.input_tokens, self.output_tokens])

    @property
    def parts(self) -> list[str]:
        """1,204 in (1,000 cached), 356 out (300 thinking), $0.0042: those that are known."""
        parts = (
            _taken_in(self.input_tokens, self.cached_tokens),
            _given_out(self.output_tokens, self.reasoning_tokens),
            dollars(self.cost),
        )
        return [part for part in parts if part]


@dataclass(frozen=True, kw_only=True, slots=True)
class Total:
    """What several answers used. `silent` of them did not give a figure that others gave."""

    tokens: int | None
    cost: float | None
    silent: int

    @classmethod
    def of(cls, usages: Iterable[Usage]) -> Self:
        found = list(usages)
        tokens = _sum(usage.tokens for usage in found)
        cost = _sum(usage.cost for usage in found)
        silent = sum(
            (usage.tokens is None and tokens is not None)
            or (usage.cost is None and cost is not None)
            for usage in found
        )
        return cls(tokens=tokens, cost=cost, silent=silent)

    @property
    def parts(self) -> list[str]:
        """4,310 tokens, $0.012, 1 answer did not say; nothing where nothing is known."""
        silent = ngettext(
            "%(count)s answer did not say", "%(count)s answers did not say", self.silent
        )
        parts = (
            "" if self.tokens is None else _("%(count)s tokens") % {"count": number(self.tokens)},
            dollars(self.cost),
            silent % {"count": number(self.silent)} if self.silent else "",
        )
        return [part for part in parts if part]


def dollars(cost: float | None) -> str:
    """$12.30, $0.50, $0.0042: cents, and below ten of them two digits; empty for None."""
    if cost is None:
        return ""
    places = 2 if cost == 0 else max(2, 1 - floor(log10(cost)))
    return f"${number(cost, places)}"


def _taken_in(count: int | None, cached: int | None) -> str:
    if count is None:
        return ""
    counts = {"count": number(count), "cached": number(cached or 0)}
    return (_("%(count)s in (%(cached)s cached)") if cached else _("%(count)s in")) % counts


def _given_out(count: int | None, thinking: int | None) -> str:
    if count is None:
        return ""
    counts = {"count": number(count), "thinking": number(thinking or 0)}
    return (_("%(count)s out (%(thinking)s thinking)") if thinking else _("%(count)s out")) % counts


def _sum(numbers: Iterable[Number | None]) -> Number | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and 0 <= value < UNBELIEVABLE else None
