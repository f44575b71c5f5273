"""Whether a person may ask, and their answer go on: quotas held against what is used."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from django.db import connection
from django.utils import timezone

from chat.errors import QuotaExceeded
from chat.models.quotas import LIMITS, Allowance
from chat.models.runs import AgentRun
from chat.models.usage import day_ends, used_today
from chat.text import say

MINUTE = timedelta(minutes=1)
# An answer may end at any moment.
SOON_SECONDS = 5
_COLUMNS = ("id", "person_id", "group_id", *LIMITS)
# By hand, like the statements in chat/models/rows.py: it is asked with every question. `+owner_id`
# keeps the database from counting through all that the person ever asked.
_STANDING = f"""
SELECT (SELECT COUNT(*) FROM chat_agentrun
        WHERE +owner_id = %s AND status IN ('queued', 'running', 'awaiting_approval')),
       (SELECT COUNT(*) FROM chat_agentrun WHERE owner_id = %s AND created_at > %s),
       {", ".join(f"quota.{name}" for name in _COLUMNS)}
FROM (SELECT 1) AS one LEFT JOIN chat_quota AS quota
  ON quota.person_id = %s OR (quota.person_id IS NULL AND quota.group_id IS NULL)
  OR quota.group_id IN (SELECT group_id FROM auth_user_groups WHERE user_id = %s)
"""  # noqa: S608 (names of our own)
# Not FOR UPDATE: whoever stores something that is theirs does not wait for this.
_ONE_AT_A_TIME = "SELECT 1 FROM auth_user WHERE id = %s FOR NO KEY UPDATE"


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What a person may use, and what they use right now."""

    allowance: Allowance
    active_runs: int
    runs_this_minute: int


def standing_of(person_id: int) -> Standing:
    """In one query, for which indexes have all that is counted."""
    minute_ago = connection.ops.adapt_datetimefield_value(timezone.now() - MINUTE)
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, [person_id, person_id, minute_ago, person_id, person_id])
        rows = cursor.fetchall()
    active, started = rows[0][:2]
    quotas = [dict(zip(_COLUMNS, row[2:], strict=True)) for row in rows if row[2]]
    allowance = Allowance.of(quotas)
    return Standing(allowance=allowance, active_runs=active, runs_this_minute=started)


def check_start(person_id: int) -> Allowance:
    """What a run that starts now may use. Raises QuotaExceeded if it may not.

    In a transaction, until whose end no other run of this person starts: nobody gets in beside
    one that is not stored yet.
    """
    if connection.vendor == "postgresql":
        # SQLite lets one write at a time by itself.
        with connection.cursor() as cursor:
            cursor.execute(_ONE_AT_A_TIME, [person_id])
    now = standing_of(person_id)
    allowance = now.allowance
    if allowance.active_runs is not None and now.active_runs >= allowance.active_runs:
        raise QuotaExceeded(
            say(
                "You have {active} answers in progress. Wait for one to end, or stop one.",
                active=now.active_runs,
            ),
            retry_after_seconds=SOON_SECONDS,
        )
    most = allowance.runs_per_minute
    if most is not None and now.runs_this_minute >= most:
        raise QuotaExceeded(
            say("You have asked a lot in the last minute. Please wait a little."),
            retry_after_seconds=seconds_until(minute_frees_up(person_id, most)),
        )
    check_day(person_id, allowance)
    return allowance


def check_day(person_id: int, allowance: Allowance) -> None:
    """Raise QuotaExceeded if what they may use in a day is used up. Mostly asks nothing."""
    if not allowance.has_daily:
        return
    tokens, cost = used_today(person_id)
    most_tokens, most_cost = allowance.tokens_per_day, allowance.cost_per_day
    if most_tokens is not None and tokens >= most_tokens:
        raise _used_up(
            say(
                "You have used the {limit} tokens that you have for a day. You can go on after "
                "{time}.",
                limit=f"{most_tokens:,}",
                time=midnight(),
            )
        )
    if most_cost is not None and cost >= most_cost:
        raise _used_up(
            say(
                "You have used the ${limit} that your answers may cost in a day. You can go on "
                "after {time}.",
                limit=f"{most_cost:,.{2 if most_cost >= 0.1 else 4}f}",
                time=midnight(),
            )
        )


def midnight() -> str:
    """When the day ends, for a sentence that may be read long afterwards."""
    return f"{day_ends():%Y-%m-%d %H:%M %Z}"


def minute_frees_up(person_id: int, most: int) -> datetime:
    """When fewer than `most` questions are within the last minute."""
    runs = AgentRun.objects.filter(owner_id=person_id).order_by("-created_at")
    times = runs.values_list("created_at", flat=True)[max(most, 1) - 1 : max(most, 1)]
    return next(iter(times), timezone.now()) + MINUTE


def seconds_until(moment: datetime) -> int:
    return max(1, ceil((moment - timezone.now()).total_seconds()))


def _used_up(sentence: str) -> QuotaExceeded:
    return QuotaExceeded(sentence, retry_after_seconds=seconds_until(day_ends()))
