"""Who has authorised which MCP server; admins authorise those that act for everybody."""

from typing import Any
from urllib.parse import urlsplit

from asgiref.sync import async_to_sync
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from chat.admin.shown import state_mark
from chat.language import told
from chat.mcp.oauth.errors import AuthorisationFailed
from chat.models import MCPAuthorisation, MCPServer, Unreadable, unseal
from chat.runs.tools.authorisations import enter_client, send_away
from chat.views.oauth import callback_address

Authorisation = MCPServer.Authorisation


class ClientForm(forms.Form):
    """What an authorisation server gave an admin who registered this site there."""

    client_id = forms.CharField(label=_("Client ID"), max_length=500, required=False)
    client_secret = forms.CharField(
        max_length=1000,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("Is kept encrypted and never shown again."),
    )


@admin.register(MCPAuthorisation)
class MCPAuthorisationAdmin(admin.ModelAdmin):
    """A list to read; to delete is to revoke. Nobody can see the tokens."""

    list_display = ("server", "whom", "state", "created_at", "updated_at")
    list_display_links = None
    list_select_related = ("server", "user")
    search_fields = ("server__name", "user__username")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("acts for"), ordering="user__username")
    def whom(self, authorisation: MCPAuthorisation) -> str:
        return str(authorisation.user or _("everybody"))

    @admin.display(description=_("state"))
    def state(self, authorisation: MCPAuthorisation) -> str:
        if authorisation.refused_at:
            return state_mark("unauthorised", _("ended"))
        try:
            unseal(authorisation.sealed)
        except Unreadable:
            return state_mark("unauthorised", _("kept with another key"))
        return state_mark("ready", _("authorised"))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        servers = MCPServer.objects.exclude(authorisation=Authorisation.NONE).exclude(url="")
        return super().changelist_view(request, {**(extra_context or {}), "servers": servers})

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("servers/<slug:slug>/", wrap(server_page), name="authorise_server"),
            path("servers/<slug:slug>/requests/", wrap(request_shared), name="request_shared"),
            path("servers/<slug:slug>/clients/", wrap(keep_client), name="keep_client"),
            *super().get_urls(),
        ]


def server_page(request: HttpRequest, slug: str) -> HttpResponse:
    """Whether a server is authorised for all, and as whom this site is known there."""
    return _show(request, _find(request, slug))


@require_POST
def request_shared(request: HttpRequest, slug: str) -> HttpResponse:
    server = _find(request, slug)
    if server.authorisation != Authorisation.SHARED:
        raise PermissionDenied
    try:
        address = async_to_sync(send_away)(
            server,
            int(request.user.pk or 0),
            is_shared=True,
            redirect_uri=callback_address(request),
        )
    except AuthorisationFailed as error:
        return _show(request, server, problem=told(error), status=502)
    return _show(request, server, address=address, host=urlsplit(address).netloc)


@require_POST
def keep_client(request: HttpRequest, slug: str) -> HttpResponseBase:
    server = _find(request, slug)
    form = ClientForm(request.POST)
    if not form.is_valid():
        return _show(request, server, form=form, status=400)
    enter_client(server, form.cleaned_data["client_id"], form.cleaned_data["client_secret"])
    messages.success(request, _("Kept. It is used from the next authorisation on."))
    return redirect(reverse("admin:authorise_server", kwargs={"slug": slug}))


def _find(request: HttpRequest, slug: str) -> MCPServer:
    if not request.user.has_perm("chat.change_mcpserver"):
        raise PermissionDenied
    return get_object_or_404(MCPServer.objects.exclude(url=""), slug=slug)


def _show(
    request: HttpRequest, server: MCPServer, *, status: int = 200, **more: Any
) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": _("Authorise %(server)s") % {"server": server.name},
        "server": server,
        "is_shared": server.authorisation == Authorisation.SHARED,
        "is_personal": server.authorisation == Authorisation.PERSONAL,
        "given": server.authorisations.filter(user=None).first(),
        "callback_address": callback_address(request),
        "form": ClientForm(initial={"client_id": server.oauth_client_id}),
        **more,
    }
    return render(request, "admin/authorise_server.html", context, status=status)
