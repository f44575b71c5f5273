"""Exports of the tool ledger, on record themselves."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class ToolRunExport(models.Model):
    """Who took which part of the ledger away. Without `finished_at` it goes on, or broke off."""

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        JSONL = "jsonl", "JSONL"

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("person"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    # Kept as text too: the record outlives the account. On the console: who ran the command.
    made_by = models.CharField(_("made by"), max_length=200)
    format = models.CharField(_("format"), max_length=5, choices=Format.choices)
    # As in the address of the list.
    filters = models.CharField(_("filters"), max_length=2000, blank=True)
    rows = models.PositiveIntegerField(_("rows"), default=0)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name = _("export of tool runs")
        verbose_name_plural = _("exports of tool runs")

    def __str__(self) -> str:
        return f"{self.made_by}, {self.created_at:%Y-%m-%d %H:%M}"

    @classmethod
    def begin(cls, person: Any, kind: str, filters: str) -> "ToolRunExport":
        """Before the first row leaves. `person` may have no account: then only a name is kept."""
        return cls.objects.create(
            person_id=person.pk,
            made_by=person.get_username(),
            format=kind,
            filters=filters[:2000],
        )

    def end(self, rows: int, *, is_whole: bool) -> None:
        self.rows, self.finished_at = rows, timezone.now() if is_whole else None
        self.save(update_fields=["rows", "finished_at"])
