"""Small bar charts, drawn here as SVG: no script, and every bar says in words what it shows."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 640, 96
GAP_PART = 0.25


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """In pixels of the chart; `part` is the lower part of it that stands out."""

    title: str
    x: float
    width: float
    y: int
    height: int
    part_y: int
    part: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """`title` names it, `about` says in a sentence what it shows."""

    title: str
    about: str
    bars: list[Bar]
    highest: str
    first: str
    last: str
    width: int = WIDTH
    height: int = HEIGHT


def bars_of(
    values: Sequence[tuple[str, float, float]], *, width: int = WIDTH, height: int = HEIGHT
) -> list[Bar]:
    """From a title, a value and the part of it that stands out, each; the highest fills it."""
    scale = height / (max((value for _, value, _ in values), default=0) or 1)
    step = width / max(1, len(values))
    bars = []
    for place, (title, value, part) in enumerate(values):
        high, low = _pixels(value * scale), _pixels(part * scale)
        bars.append(
            Bar(
                title=title,
                x=round(place * step, 1),
                width=round(step * (1 - GAP_PART), 1),
                y=height - high,
                height=high,
                part_y=height - low,
                part=low,
            )
        )
    return bars


def _pixels(length: float) -> int:
    """What is there is seen, however little."""
    return max(1, round(length)) if length else 0
