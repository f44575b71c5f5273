"""The tool ledger: who called what, with which arguments, and what came of it."""

import json
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet, Value
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from chat.admin.exports import PERMISSION, export
from chat.admin.figures.last_days import last_days
from chat.admin.ledger_list import LedgerList
from chat.admin.shown import link_to
from chat.admin.tool_run_detail import ToolRunDetail, whole_arguments
from chat.models import StaffAccess, ToolRun

PEEK_CHARACTERS = 60


@admin.register(ToolRun)
class ToolRunAdmin(ToolRunDetail):
    noted_as = StaffAccess.What.TOOL_RUN
    list_display = (
        *("started", "tool", "outcome", "took", "conversation", "person", "arguments_peek"),
    )
    sortable_by = ()

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("exports/", wrap(export), name="chat_toolrun_exports"),
            path(
                "<uuid:pk>/download/<str:part>/",
                wrap(self.download),
                name="chat_toolrun_download",
            ),
            *super().get_urls(),
        ]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[LedgerList]:
        return LedgerList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        may_export = request.user.has_perm(PERMISSION)
        context = {"chart": last_days(), "may_export": may_export, **(extra_context or {})}
        return super().changelist_view(request, context)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ToolRun]:
        beside = ("run__conversation", "run__answer", "owner", "approval__decided_by")
        rows = super().get_queryset(request).select_related(*beside)
        # For the links of one call's page, which depend on who looks at it.
        return rows.annotate(viewer_id=Value(request.user.pk))

    def download(self, request: HttpRequest, pk: UUID, part: str) -> HttpResponse:
        """The whole arguments or the whole result, as a file."""
        tool_run = get_object_or_404(ToolRun, pk=pk)
        if not self.has_view_permission(request, tool_run):
            raise PermissionDenied
        is_result = part == "result"
        what = StaffAccess.What.RESULT if is_result else StaffAccess.What.ARGUMENTS
        StaffAccess.note(request.user, tool_run.owner_id, what, tool_run.tool, tool_run.pk)
        text = tool_run.result if is_result else whole_arguments(tool_run)
        response = HttpResponse(text, content_type="text/plain; charset=utf-8")
        name = f"{'result' if is_result else 'arguments'}-{tool_run.pk}.txt"
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    @admin.display(description=_("started"))
    def started(self, tool_run: ToolRun) -> str:
        return f"{tool_run.created_at:%Y-%m-%d %H:%M:%S}"

    @admin.display(description=_("conversation"))
    def conversation(self, tool_run: ToolRun) -> str:
        return link_to(tool_run.run.conversation)

    @admin.display(description=_("arguments"))
    def arguments_peek(self, tool_run: ToolRun) -> str:
        text = tool_run.invalid_arguments or json.dumps(tool_run.arguments, ensure_ascii=False)
        peek = text if len(text) <= PEEK_CHARACTERS else text[: PEEK_CHARACTERS - 1] + "…"
        return format_html('<code class="peek">{}</code>', peek)
