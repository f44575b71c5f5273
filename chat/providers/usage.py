"""The token counts and the price that APIs report, under one set of names."""

from collections.abc import Mapping
from typing import Any, TypeGuard

# Beyond this, numbers are no longer exact in JSON.
MAX_NUMBER = 1 << 53


def read_usage(usage: Mapping[str, Any]) -> dict[str, float]:
    """What is known, by the names of ports.StepFinished; what is not is absent, never 0."""
    counts = {
        "input_tokens": usage.get("prompt_tokens"),
        "output_tokens": usage.get("completion_tokens"),
        "reasoning_tokens": _detail(usage, "completion_tokens_details", "reasoning_tokens"),
        "cached_tokens": _detail(usage, "prompt_tokens_details", "cached_tokens"),
    }
    known: dict[str, float] = {name: count for name, count in counts.items() if _is_count(count)}
    cost = usage.get("cost")
    return {**known, "cost": cost} if _is_count(cost) or _is_price(cost) else known


def _detail(usage: Mapping[str, Any], group: str, name: str) -> Any:
    details = usage.get(group)
    return details.get(name) if isinstance(details, Mapping) else None


def _is_count(value: Any) -> TypeGuard[int]:
    # Not isinstance: to Python, True is a number.
    return type(value) is int and 0 <= value < MAX_NUMBER


def _is_price(value: Any) -> TypeGuard[float]:
    """False also for what is not a number and for infinity, which JSON in Python lets through."""
    return type(value) is float and 0 <= value < MAX_NUMBER
