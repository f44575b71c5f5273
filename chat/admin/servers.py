"""MCP servers: which ones are used, and how they are."""

from collections.abc import Sequence

from django.contrib import admin
from django.http import HttpRequest

from chat.admin.shown import state_mark
from chat.models import MCPServer

SEEN = ("state_shown", "state_reason", "protocol_version", "tools", "last_seen_at", "source")


@admin.register(MCPServer)
class MCPServerAdmin(admin.ModelAdmin):
    list_display = (
        "name",
        "is_enabled",
        "state_shown",
        "state_reason",
        "tool_count",
        "last_seen_at",
    )
    list_editable = ("is_enabled",)
    fields = ("name", "slug", "url", "is_enabled", *SEEN)
    prepopulated_fields = {"slug": ("name",)}

    def get_readonly_fields(
        self, request: HttpRequest, obj: MCPServer | None = None
    ) -> tuple[str, ...]:
        """What the deployment configured is changed there; here it can be switched off."""
        if obj and obj.source != MCPServer.Source.ADMIN:
            return ("name", "slug", "url", *SEEN)
        return SEEN

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: MCPServer | None = None
    ) -> dict[str, Sequence[str]]:
        return {"slug": ("name",)} if obj is None else {}

    def has_delete_permission(self, request: HttpRequest, obj: MCPServer | None = None) -> bool:
        is_configured = obj is not None and obj.source != MCPServer.Source.ADMIN
        return not is_configured and super().has_delete_permission(request, obj)

    @admin.display(description="last known state", ordering="state")
    def state_shown(self, server: MCPServer) -> str:
        return state_mark(server.state, server.get_state_display())

    @admin.display(description="tools")
    def tool_count(self, server: MCPServer) -> int:
        return len(server.tool_names)

    @admin.display(description="tools")
    def tools(self, server: MCPServer) -> str:
        return ", ".join(server.tool_names) or "none seen yet"
