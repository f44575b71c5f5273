"""MCP servers: which ones are used, and how they are."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminURLFieldWidget
from django.http import HttpRequest

from chat.admin.shown import state_mark
from chat.models import MCPServer

SEEN = ("state_shown", "state_reason", "protocol_version", "tools", "last_seen_at", "source")


def is_configured(server: MCPServer | None) -> bool:
    """By the deployment, not here."""
    return server is not None and server.source != MCPServer.Source.ADMIN


class MCPServerForm(forms.ModelForm):
    """What an admin may enter. Programs are never started from here, only addresses called."""

    # Names without a dot are usual between containers; the model's own field refuses them.
    address = forms.CharField(
        max_length=500,
        help_text="Its streamable HTTP address, often ending in /mcp.",
        widget=AdminURLFieldWidget,
    )

    class Meta:
        model = MCPServer
        fields = ("name", "slug", "is_enabled")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "address" in self.fields:
            self.fields["address"].initial = self.instance.url

    def clean_address(self) -> str:
        address = str(self.cleaned_data["address"])
        if not is_web_address(address):
            raise forms.ValidationError(
                "Enter the whole address with http:// or https://, "
                "such as https://tools.example.org/mcp."
            )
        self.instance.url = address
        return address


def is_web_address(text: str) -> bool:
    """Whether it is http or https and names a host; a port, if any, must be one."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and port != 0
        and not any(character.isspace() for character in text)
    )


@admin.register(MCPServer)
class MCPServerAdmin(admin.ModelAdmin):
    form = MCPServerForm
    list_display = (
        "name",
        "is_enabled",
        "state_shown",
        "state_reason",
        "tool_count",
        "last_seen_at",
    )
    list_editable = ("is_enabled",)
    prepopulated_fields = {"slug": ("name",)}

    def get_fields(self, request: HttpRequest, obj: MCPServer | None = None) -> tuple[str, ...]:
        return ("name", "slug", "url" if is_configured(obj) else "address", "is_enabled", *SEEN)

    def get_readonly_fields(
        self, request: HttpRequest, obj: MCPServer | None = None
    ) -> tuple[str, ...]:
        """What the deployment configured is changed there; here it can be switched off."""
        if is_configured(obj):
            return ("name", "slug", "url", *SEEN)
        return SEEN

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: MCPServer | None = None
    ) -> dict[str, Sequence[str]]:
        return {"slug": ("name",)} if obj is None else {}

    def has_delete_permission(self, request: HttpRequest, obj: MCPServer | None = None) -> bool:
        return not is_configured(obj) and super().has_delete_permission(request, obj)

    @admin.display(description="last known state", ordering="state")
    def state_shown(self, server: MCPServer) -> str:
        return state_mark(server.state, server.get_state_display())

    @admin.display(description="tools")
    def tool_count(self, server: MCPServer) -> int:
        return sum(tool.is_offered for tool in server.tools.all())

    @admin.display(description="tools")
    def tools(self, server: MCPServer) -> str:
        return ", ".join(tool.name for tool in server.tools.all()) or "none seen yet"
