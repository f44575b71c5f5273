"""The tool log: who called what, with which arguments, and what came of it."""

import json
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join

from chat.admin.chart import last_days
from chat.admin.shown import LogAdmin, duration, link_to, preformatted, pretty_json, state_mark
from chat.models import Attachment, MCPTool, ToolRun, ToolRunState

PEEK_CHARACTERS = 60


class OutcomeFilter(admin.SimpleListFilter):
    title = "outcome"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state.value, str(state.label)) for state in ToolRunState]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ToolRun]) -> QuerySet[ToolRun]:
        return queryset.filter(state=self.value()) if self.value() else queryset


class DurationFilter(admin.SimpleListFilter):
    title = "duration"
    parameter_name = "over_ms"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1000", "over 1 s"), ("10000", "over 10 s")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ToolRun]) -> QuerySet[ToolRun]:
        value = self.value()
        return (
            queryset.filter(duration_ms__gt=int(value)) if value in {"1000", "10000"} else queryset
        )


class ToolFilter(admin.SimpleListFilter):
    title = "tool"
    parameter_name = "tool"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        # From the servers' tools: counting distinct names over the whole log takes too long.
        names = MCPTool.objects.order_by("name").values_list("name", flat=True).distinct()
        return [(name, name) for name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ToolRun]) -> QuerySet[ToolRun]:
        return queryset.filter(tool=self.value()) if self.value() else queryset


def whole_arguments(tool_run: ToolRun) -> str:
    """What the model sent: as JSON, or word for word where it was none."""
    return tool_run.invalid_arguments or json.dumps(
        tool_run.arguments, indent=2, ensure_ascii=False
    )


@admin.register(ToolRun)
class ToolRunAdmin(LogAdmin):
    list_display = (
        *("started", "tool", "outcome", "took", "conversation", "person", "arguments_peek"),
    )
    list_filter = (OutcomeFilter, DurationFilter, "created_at", ToolFilter, "server")
    ordering = ("-created_at",)
    list_select_related = ("run__conversation", "run__owner", "server")
    search_fields = ("tool", "call_id", "run__conversation__title")
    search_help_text = "Tool, call id or conversation title"
    fields = (
        ("tool", "title", "server_name"),
        ("outcome", "took", "iteration"),
        ("person", "conversation", "run_link"),
        ("created_at", "started_at", "finished_at"),
        *("call_id", "arguments_shown", "result_shown", "attachments", "downloads"),
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.download)
        name = "chat_toolrun_download"
        return [path("<uuid:pk>/download/<str:part>/", view, name=name), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"chart": last_days(), **(extra_context or {})}
        return super().changelist_view(request, context)

    def change_view(
        self, request: HttpRequest, object_id: str, *args: Any, **more: Any
    ) -> HttpResponse:
        response = super().change_view(request, object_id, *args, **more)
        tool_run = self.get_object(request, object_id)
        if response.status_code == 200 and tool_run and tool_run.run.owner_id != request.user.pk:
            self._note(request, tool_run, "Viewed the arguments and the result.")
        return response

    def download(self, request: HttpRequest, pk: UUID, part: str) -> HttpResponse:
        """The whole arguments or the whole result, as a file."""
        tool_run = get_object_or_404(ToolRun, pk=pk)
        if not self.has_view_permission(request, tool_run):
            raise PermissionDenied
        self._note(
            request, tool_run, f"Downloaded the {'result' if part == 'result' else 'arguments'}."
        )
        is_result = part == "result"
        text = tool_run.result if is_result else whole_arguments(tool_run)
        response = HttpResponse(text, content_type="text/plain; charset=utf-8")
        name = f"{'result' if is_result else 'arguments'}-{tool_run.pk}.txt"
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    @staticmethod
    def _note(request: HttpRequest, tool_run: ToolRun, what: str) -> None:
        """Who looked at somebody else's data is on record too."""
        LogEntry.objects.log_actions(
            int(request.user.pk or 0), [tool_run], CHANGE, change_message=what, single_object=True
        )

    @admin.display(description="started", ordering="created_at")
    def started(self, tool_run: ToolRun) -> str:
        return f"{tool_run.created_at:%Y-%m-%d %H:%M:%S}"

    @admin.display(description="outcome", ordering="state")
    def outcome(self, tool_run: ToolRun) -> str:
        return state_mark(tool_run.state, tool_run.get_state_display())

    @admin.display(description="took", ordering="duration_ms")
    def took(self, tool_run: ToolRun) -> str:
        return duration(tool_run.duration_ms)

    @admin.display(description="conversation")
    def conversation(self, tool_run: ToolRun) -> str:
        return link_to(tool_run.run.conversation)

    @admin.display(description="person")
    def person(self, tool_run: ToolRun) -> str:
        return str(tool_run.run.owner)

    @admin.display(description="run")
    def run_link(self, tool_run: ToolRun) -> str:
        return link_to(tool_run.run)

    @admin.display(description="arguments")
    def arguments_peek(self, tool_run: ToolRun) -> str:
        text = tool_run.invalid_arguments or json.dumps(tool_run.arguments, ensure_ascii=False)
        peek = text if len(text) <= PEEK_CHARACTERS else text[: PEEK_CHARACTERS - 1] + "…"
        return format_html('<code class="peek">{}</code>', peek)

    @admin.display(description="arguments")
    def arguments_shown(self, tool_run: ToolRun) -> str:
        if tool_run.invalid_arguments:
            return preformatted(tool_run.invalid_arguments)
        return pretty_json(tool_run.arguments)

    @admin.display(description="result")
    def result_shown(self, tool_run: ToolRun) -> str:
        return preformatted(tool_run.result) if tool_run.result else "none yet"

    @admin.display(description="attachments")
    def attachments(self, tool_run: ToolRun) -> str:
        kept = Attachment.objects.filter(run=tool_run.run_id, call_id=tool_run.call_id)
        links = ((each.get_absolute_url(), each, each.mime_type, each.bytes) for each in kept)
        return format_html_join(" · ", '<a href="{}">{}</a> {}, {} bytes', links) or "none"

    @admin.display(description="downloads")
    def downloads(self, tool_run: ToolRun) -> str:
        urls = [
            reverse("admin:chat_toolrun_download", args=[tool_run.pk, part])
            for part in ("arguments", "result")
        ]
        return format_html('<a href="{}">arguments</a> · <a href="{}">result</a>', *urls)
