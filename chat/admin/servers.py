"""MCP servers: which ones are used by whom, and how they are."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from chat.admin.health import DAYS, Health, health_of
from chat.admin.server_form import ConfiguredServerForm, EnabledForm, MCPServerForm
from chat.admin.shown import excerpt, state_mark
from chat.mcp.check import check, era
from chat.models import MCPServer, MCPTool
from chat.runs.tools.servers import config_of

HEALTH = (
    *("state_shown", "reason", "era_shown", "tools_shown", "last_seen_at"),
    *("calls", "outcomes", "durations", "source"),
)
USED = ("is_enabled", "is_trusted", "groups", "may_repeat")
ENTERED = (*("name", "slug", "address", "header_lines", "authorisation", "timeout_seconds"), *USED)
CONFIGURED = (*("name", "slug", "where", "authorisation"), *USED)


def is_configured(server: MCPServer | None) -> bool:
    """By the deployment, not here."""
    return server is not None and server.is_configured


def health(server: MCPServer) -> Health:
    """Looked up once for a row, and for a whole list at once."""
    if "health" not in vars(server):
        vars(server)["health"] = health_of([server])[server.pk]
    found: Health = vars(server)["health"]
    return found


class ServerList(ChangeList):
    """Its rows know their health before they are asked for it one by one."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        healths = health_of(self.result_list)
        for server in self.result_list:
            vars(server)["health"] = healths[server.pk]


@admin.register(MCPServer)
class MCPServerAdmin(admin.ModelAdmin):
    list_display = (
        *("name", "is_enabled", "state_and_why", "tools_shown", "calls_and_durations"),
        "last_seen_at",
    )
    list_editable = ("is_enabled",)
    actions = None
    show_full_result_count = False
    change_form_template = "admin/chat/mcpserver/change_form.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ServerList

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> Any:
        options = {"form": EnabledForm, "fields": self.list_editable, **kwargs}
        return super().get_changelist_form(request, **options)

    def get_form(
        self,
        request: HttpRequest,
        obj: MCPServer | None = None,
        change: bool = False,
        **kwargs: Any,
    ) -> Any:
        # A form's own fields would be taken from a request even where the page does not show them.
        form = MCPServerForm if self._is_entered(request, obj) else ConfiguredServerForm
        return super().get_form(request, obj, change, form=form, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: MCPServer | None = None) -> Any:
        if obj is None:
            return [(None, {"fields": ENTERED})]
        fields = ENTERED if self._is_entered(request, obj) else CONFIGURED
        return [(_("Health"), {"fields": HEALTH}), (_("Configuration"), {"fields": fields})]

    def get_readonly_fields(
        self, request: HttpRequest, obj: MCPServer | None = None
    ) -> tuple[str, ...]:
        """What the deployment configured is changed there; here it can be switched off."""
        return ("name", "slug", "where", *HEALTH) if is_configured(obj) else ("where", *HEALTH)

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: MCPServer | None = None
    ) -> dict[str, Sequence[str]]:
        return {"slug": ("name",)} if obj is None else {}

    def has_delete_permission(self, request: HttpRequest, obj: MCPServer | None = None) -> bool:
        return not is_configured(obj) and super().has_delete_permission(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        objects, counts, needed, protected = super().get_deleted_objects(objs, request)
        # Nobody deletes single tools; with their server they go.
        return objects, counts, needed - {MCPTool._meta.verbose_name}, protected

    def _is_entered(self, request: HttpRequest, server: MCPServer | None) -> bool:
        """All of it is theirs to change; to those who may only look, headers are not shown."""
        if server is None:
            return True
        return not is_configured(server) and self.has_change_permission(request, server)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.check_now)
        return [path("<uuid:pk>/checks/", view, name="chat_mcpserver_checks"), *super().get_urls()]

    def check_now(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Look at the server now. Only this request's thread waits; nothing is stored."""
        server = get_object_or_404(MCPServer, pk=pk)
        if not self.has_change_permission(request, server):
            raise PermissionDenied
        config = config_of(server, request.user.pk)
        if request.method != "POST" or not is_used(server) or config is None:
            if request.method == "POST":
                sentence = _("%(server)s is not configured any more.")
                messages.error(request, sentence % {"server": server})
            return redirect("admin:chat_mcpserver_change", pk)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Check of %(server)s") % {"server": server},
            "opts": self.opts,
            "server": server,
            "found": async_to_sync(check)(config),
        }
        return render(request, "admin/chat/mcpserver/check.html", context)

    @admin.display(description=_("last known state"), ordering="state")
    def state_shown(self, server: MCPServer) -> str:
        if not is_used(server):
            return state_mark("gone", _("not configured any more"))
        return state_mark(server.state, server.get_state_display())

    @admin.display(description=_("reason"))
    def reason(self, server: MCPServer) -> str:
        return server.state_reason or "–"

    @admin.display(description=_("last known state"), ordering="state")
    def state_and_why(self, server: MCPServer) -> str:
        is_ready = server.state == MCPServer.State.READY
        parts = (era(server.protocol_version) if is_ready else "", server.state_reason)
        why = " · ".join(excerpt(part) for part in parts if part)
        return format_html("{}<small>{}</small>", self.state_shown(server), why)

    @admin.display(description=_("protocol"))
    def era_shown(self, server: MCPServer) -> str:
        return era(server.protocol_version) or "–"

    @admin.display(description=_("tools"))
    def tools_shown(self, server: MCPServer) -> str:
        url = reverse("admin:chat_mcptool_changelist", query={"server__id__exact": server.pk})
        return format_html('<a href="{}">{}</a>', url, health(server).tools_shown)

    @admin.display(description=format_lazy(_("calls in {days} days"), days=DAYS))
    def calls(self, server: MCPServer) -> str:
        return health(server).calls_shown

    @admin.display(description=format_lazy(_("calls in {days} days"), days=DAYS))
    def calls_and_durations(self, server: MCPServer) -> str:
        found = health(server)
        return format_html("{}<small>{}</small>", found.calls_shown, found.durations_shown)

    @admin.display(description=_("by outcome"))
    def outcomes(self, server: MCPServer) -> str:
        return health(server).outcomes_shown

    @admin.display(description=_("duration"))
    def durations(self, server: MCPServer) -> str:
        return health(server).durations_shown or "–"

    @admin.display(description=_("address"))
    def where(self, server: MCPServer) -> str:
        return server.url or server.command or "–"


def is_used(server: MCPServer) -> bool:
    """Whether there still is something to connect to."""
    return bool(server.url or server.command)
