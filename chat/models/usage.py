"""What answers used: rows are only ever added, and outlive what was said.

A person's limits and the admin's figures are sums of it, so to delete a conversation gives nobody
tokens back. See docs/decisions/0019-quotas-and-figures.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Sum
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

AMOUNTS = ("input_tokens", "output_tokens", "cost")


@dataclass(kw_only=True, slots=True)
class Tally:
    """What a run has used and no UsageEntry tells yet. None is unknown."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None

    def add(self, used: Mapping[str, float]) -> None:
        """What one step used, as far as it is known."""
        for name in AMOUNTS:
            if name in used:
                setattr(self, name, (getattr(self, name) or 0) + used[name])

    @property
    def is_empty(self) -> bool:
        return self == Tally()

    def take(self) -> dict[str, Any]:
        """What is in it, as fields of a UsageEntry; there is nothing in it afterwards."""
        taken = {name: getattr(self, name) for name in AMOUNTS}
        self.input_tokens = self.output_tokens = self.cost = None
        return taken


class UsageEntry(models.Model):
    """What an answer used, or a part of it; `runs` is 1 in the one that was written at its end.

    Empty is unknown: the model's API did not tell. `cost` is in US dollars.
    """

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="usage_entries",
        db_index=False,
    )
    model_name = models.CharField(_("model name"), max_length=200)
    at = models.DateTimeField()
    runs = models.PositiveSmallIntegerField(default=0)
    input_tokens = models.PositiveBigIntegerField(null=True)
    output_tokens = models.PositiveBigIntegerField(null=True)
    cost = models.FloatField(_("cost"), null=True)

    class Meta:
        verbose_name = _("usage")
        verbose_name_plural = _("usage")
        indexes = [
            # All that is asked of it is in its indexes.
            models.Index(
                fields=["at", "person", "model_name", "runs", *AMOUNTS], name="usage_recent"
            ),
            models.Index(fields=["person", "at", *AMOUNTS], name="usage_of_person"),
        ]

    def __str__(self) -> str:
        return f"{self.model_name}, {self.at:%Y-%m-%d %H:%M}"


def day_began() -> datetime:
    """The last midnight in the site's time zone."""
    now = timezone.localtime(timezone.now(), timezone.get_default_timezone())
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def day_ends() -> datetime:
    return (day_began() + timedelta(hours=36)).replace(hour=0)


def used_today(person_id: int) -> tuple[int, float]:
    """Tokens and US dollars since midnight, also of answers in progress, as far as known."""
    today = UsageEntry.objects.filter(person=person_id, at__gte=day_began())
    found = today.aggregate(
        read=Coalesce(Sum("input_tokens"), 0),
        written=Coalesce(Sum("output_tokens"), 0),
        cost=Coalesce(Sum("cost"), 0.0),
    )
    return int(found["read"] + found["written"]), float(found["cost"])
