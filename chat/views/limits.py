"""A person's limits in words: what they may use, what they have used, when there is more."""

from dataclasses import dataclass

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from chat.language import number
from chat.models.limits import minute_frees_up, standing_of
from chat.models.usage import day_ends, used_today
from chat.usage import dollars


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """`used` and `most` as they are shown; `hint` says when there is more again."""

    name: str
    most: str
    used: str = ""
    hint: str = ""
    # Of 100; None where nothing is counted.
    percent: int | None = None


def limits_of(person_id: int) -> list[Limit]:
    """Those that there are for this person. Three queries at most."""
    now = standing_of(person_id)
    allowance = now.allowance
    tokens, cost = used_today(person_id) if allowance.has_daily else (0, 0.0)
    tomorrow = _("More at {time}.").format(time=_clock())
    soon = ""
    if (most := allowance.runs_per_minute) is not None and now.runs_this_minute >= most > 0:
        at = date_format(minute_frees_up(person_id, most), "H:i:s")
        soon = _("More at {time}.").format(time=f"{at} UTC")
    counted = [
        (_("Answers at the same time"), now.active_runs, allowance.active_runs, ""),
        (_("Questions a minute"), now.runs_this_minute, allowance.runs_per_minute, soon),
        (_("Tokens today"), tokens, allowance.tokens_per_day, tomorrow),
    ]
    shown = [
        Limit(name=name, most=number(most), used=number(used), hint=hint, percent=_part(used, most))
        for name, used, most, hint in counted
        if most is not None
    ]
    if (most_cost := allowance.cost_per_day) is not None:
        name, part = _("Cost today"), _part(cost, most_cost)
        paid, most_paid = dollars(cost), dollars(most_cost)
        shown.append(Limit(name=name, most=most_paid, used=paid, hint=tomorrow, percent=part))
    if (most := allowance.tool_calls_per_run) is not None:
        shown.append(Limit(name=_("Tool calls an answer"), most=number(most)))
    return shown


def _part(used: float, most: float) -> int:
    return min(100, int(100 * used / most)) if most else 100


def _clock() -> str:
    return f"{date_format(day_ends(), 'H:i')} {day_ends():%Z}"
