"""What answers used: tokens and US dollars, as values and in words. Asks no database.

A figure that the model's API did not give is unknown: it is left out, and never counts as 0.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import floor, log10
from typing import Any, Self, TypeVar

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
            _words(self.input_tokens, "in", self.cached_tokens, "cached"),
            _words(self.output_tokens, "out", self.reasoning_tokens, "thinking"),
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
        answers = "1 answer" if self.silent == 1 else f"{self.silent:,} answers"
        parts = (
            "" if self.tokens is None else f"{self.tokens:,} tokens",
            dollars(self.cost),
            f"{answers} did not say" if self.silent else "",
        )
        return [part for part in parts if part]


def dollars(cost: float | None) -> str:
    """$12.30, $0.50, $0.0042: cents, and below ten of them two digits; empty for None."""
    if cost is None:
        return ""
    places = 2 if cost == 0 else max(2, 1 - floor(log10(cost)))
    return f"${cost:,.{places}f}"


def _words(count: int | None, direction: str, part: int | None, kind: str) -> str:
    if count is None:
        return ""
    return f"{count:,} {direction}" + (f" ({part:,} {kind})" if part else "")


def _sum(numbers: Iterable[Number | None]) -> Number | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and 0 <= value < UNBELIEVABLE else None
