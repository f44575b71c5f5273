"""The chain of finished tool calls, to read."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from chat.admin.shown import LogAdmin
from chat.language import number
from chat.models import LedgerEntry, LedgerHead


@admin.register(LedgerEntry)
class LedgerAdmin(LogAdmin):
    list_display = ("place", "sealed", "tool_run_link", "removed_shown", "why_shown")
    list_filter = ("removed", "sealed_at")
    ordering = ("-number",)
    search_fields = ("=number", "=tool_run")
    search_help_text = _("Number or tool run")
    fields = (
        *("place", "sealed", "tool_run_link", "digest", "seal"),
        *("removed_shown", "why_shown", "removed_at"),
    )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        head = LedgerHead.objects.first()
        context = {"subtitle": last_verification(head), **(extra_context or {})}
        return super().changelist_view(request, context)

    @admin.display(description=_("number"), ordering="number")
    def place(self, entry: LedgerEntry) -> str:
        return str(entry)

    @admin.display(description=_("sealed at"), ordering="sealed_at")
    def sealed(self, entry: LedgerEntry) -> str:
        return f"{entry.sealed_at:%Y-%m-%d %H:%M:%S}"

    @admin.display(description=_("tool run"))
    def tool_run_link(self, entry: LedgerEntry) -> str:
        if entry.tool_run is None or entry.removed == LedgerEntry.Removed.ALL:
            return str(entry.tool_run or "–")
        url = reverse("admin:chat_toolrun_change", args=[entry.tool_run])
        return format_html('<a href="{}">{}</a>', url, entry.tool_run)

    @admin.display(description=_("removed"))
    def removed_shown(self, entry: LedgerEntry) -> str:
        return entry.get_removed_display()

    @admin.display(description=_("why"))
    def why_shown(self, entry: LedgerEntry) -> str:
        return entry.get_why_display()


def last_verification(head: LedgerHead | None) -> str:
    """What `manage.py verify_ledger` said last, in a sentence."""
    if head is None or head.verified_at is None:
        return gettext("Never verified: manage.py verify_ledger does that.")
    when = f"{head.verified_at:%Y-%m-%d %H:%M}"
    if not head.problems:
        return gettext("Verified at %(when)s: each as it was sealed.") % {"when": when}
    sentence = ngettext(
        "Verified at %(when)s: %(count)s problem. manage.py verify_ledger says which.",
        "Verified at %(when)s: %(count)s problems. manage.py verify_ledger says which.",
        head.problems,
    )
    return sentence % {"when": when, "count": number(head.problems)}
