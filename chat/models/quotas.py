"""Quotas: how much people may use. Which row counts for whom is decided here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowance:
    """What one person may use; None is not limited. `cost_per_day` is in US dollars."""

    runs_per_minute: int | None = None
    active_runs: int | None = None
    tokens_per_day: int | None = None
    cost_per_day: float | None = None
    tool_calls_per_run: int | None = None

    @property
    def has_daily(self) -> bool:
        """Whether what the day has used is of any interest."""
        return self.tokens_per_day is not None or self.cost_per_day is not None

    @classmethod
    def of(cls, quotas: Iterable[Mapping[str, Any]]) -> Self:
        """From the rows that concern one person, as their columns.

        Field by field: what their own row says, else the most generous of their groups' rows, else
        the row for everybody, else the settings. An empty field says nothing.
        """
        found = [(_rank(row), row) for row in quotas]
        chosen: dict[str, Any] = {
            "runs_per_minute": settings.MAX_RUN_STARTS_PER_MINUTE or None,
            "active_runs": settings.MAX_ACTIVE_RUNS_PER_USER,
        }
        for name in LIMITS:
            said = [(rank, -row[name]) for rank, row in found if row[name] is not None]
            if said:
                chosen[name] = -min(said)[1]
        if (cost := chosen.get("cost_per_day")) is not None:
            chosen["cost_per_day"] = float(cost)
        return cls(**chosen)


LIMITS = tuple(field.name for field in fields(Allowance))


def _rank(row: Mapping[str, Any]) -> int:
    if row["person_id"] is not None:
        return 0
    return 1 if row["group_id"] is not None else 2


def _limit(name: Any, **more: Any) -> models.PositiveBigIntegerField:
    return models.PositiveBigIntegerField(name, null=True, blank=True, **more)


class Quota(models.Model):
    """The limits of a person, of everybody in a group, or of everybody. See Allowance.of."""

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        verbose_name=_("person"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="quota",
        help_text=_("Counts before the quotas of their groups."),
    )
    group = models.OneToOneField(
        Group,
        verbose_name=_("group"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="quota",
        help_text=_("For each of its people. Without a person and a group: for everybody."),
    )
    runs_per_minute = _limit(_("questions a minute"))
    active_runs = _limit(_("answers at the same time"))
    tokens_per_day = _limit(_("tokens a day"), help_text=_("Read and written ones together."))
    cost_per_day = models.DecimalField(
        _("cost a day"),
        max_digits=12,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("In US dollars, as far as the model's API tells what an answer cost."),
    )
    tool_calls_per_run = _limit(_("tool calls an answer"))

    class Meta:
        verbose_name = _("quota")
        verbose_name_plural = _("quotas")
        constraints = [
            models.CheckConstraint(
                condition=Q(person=None) | Q(group=None),
                name="quota_person_or_group",
                violation_error_message=_("A quota is for a person or for a group, not for both."),
            ),
            # For everybody there is one.
            models.UniqueConstraint(
                models.Value(1),
                condition=Q(person=None, group=None),
                name="quota_one_for_everybody",
                violation_error_message=_("There is a quota for everybody already."),
            ),
        ]

    def __str__(self) -> str:
        return str(self.person or self.group or gettext("Everybody"))
