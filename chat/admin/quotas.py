"""Quotas: who may use how much."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from chat.models import Quota


@admin.register(Quota)
class QuotaAdmin(admin.ModelAdmin):
    list_display = (
        *("whose", "runs_per_minute", "active_runs", "tokens_per_day", "cost_per_day"),
        "tool_calls_per_run",
    )
    list_select_related = ("person", "group")
    autocomplete_fields = ("person", "group")
    fieldsets = (
        (None, {"fields": ("person", "group")}),
        (
            _("Limits"),
            {
                "fields": (
                    *("runs_per_minute", "active_runs", "tokens_per_day", "cost_per_day"),
                    "tool_calls_per_run",
                ),
                "description": _(
                    "An empty field says nothing: then the most generous of the person's groups "
                    "counts, then the quota for everybody, then the settings. 0 is none at all."
                ),
            },
        ),
    )

    @admin.display(description=_("whose"))
    def whose(self, quota: Quota) -> str:
        return str(quota)
