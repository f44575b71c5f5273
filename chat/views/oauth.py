"""A person authorises a server for themselves: away to its authorisation server, and back.

The way back is one for all, also for admins who authorise a server for everybody.
"""

from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from chat.language import told
from chat.mcp.oauth.errors import AuthorisationFailed
from chat.models import MCPAuthorisation, MCPServer
from chat.runs.pool import in_pool, in_writer
from chat.runs.tools.authorisations import Returned, revoke, send_away, take_back
from chat.runs.tools.servers import servers_for
from chat.text import visible
from chat.views.pages import page, render_page, see_other

MAX_WORD_CHARACTERS = 60


@page("GET")
async def authorisation(request: HttpRequest, slug: str) -> HttpResponse:
    """Whether this person has authorised the server, and the buttons to change that."""
    return await _show(request, await _find(request, slug))


@page("POST")
async def request_authorisation(request: HttpRequest, slug: str) -> HttpResponse:
    """The way to the authorisation server.

    A link and no redirect: our policy lets forms lead to this site only, wherever they end.
    """
    server = await _find(request, slug)
    try:
        address = await send_away(
            server, _id(request), is_shared=False, redirect_uri=callback_address(request)
        )
    except AuthorisationFailed as error:
        return await _show(request, server, problem=told(error), status=502)
    return await _show(request, server, address=address, host=urlsplit(address).netloc)


@page("POST")
async def revoke_authorisation(request: HttpRequest, slug: str) -> HttpResponse:
    server = await _find(request, slug)
    if await in_writer(revoke, server, _id(request)):
        messages.success(
            request, _("%(server)s does not act for you any more.") % {"server": server.name}
        )
    return see_other(reverse("authorisation", kwargs={"slug": slug}))


@page("GET")
async def callback(request: HttpRequest) -> HttpResponse:
    """Where authorisation servers send people back to, whatever became of it."""
    found = await take_back(
        _id(request),
        state=request.GET.get("state", ""),
        code=request.GET.get("code", ""),
        issuer=request.GET.get("iss", ""),
        refusal=visible(request.GET.get("error", ""), MAX_WORD_CHARACTERS),
    )
    if found is None:
        context = {"problem": _("This authorisation was used before, is too old, or is not yours.")}
        return await render_page(request, "chat/authorisation.html", context, status=400)
    if found.problem:
        messages.error(request, f"{found.server.name}: {told(found.problem)}")
    else:
        sentence = (
            _("%(server)s is authorised and acts for everybody.")
            if found.is_shared
            else _("%(server)s is authorised and acts for you.")
        )
        messages.success(request, sentence % {"server": found.server.name})
    return see_other(_place_of(found))


def callback_address(request: HttpRequest) -> str:
    """The address of this site that authorisation servers are to know."""
    return request.build_absolute_uri(reverse("oauth_callback"))


def _place_of(found: Returned) -> str:
    name = "admin:authorise_server" if found.is_shared else "authorisation"
    return reverse(name, kwargs={"slug": found.server.slug})


async def _find(request: HttpRequest, slug: str) -> MCPServer:
    """A server that this person may use, and that wants everybody's own authorisation."""
    servers = await in_pool(servers_for, _id(request))
    personal = MCPServer.Authorisation.PERSONAL
    for server in servers:
        if server.slug == slug and server.authorisation == personal:
            return server
    raise Http404


async def _show(
    request: HttpRequest, server: MCPServer, *, status: int = 200, **more: Any
) -> HttpResponse:
    rows = MCPAuthorisation.objects.filter(server=server, user=_id(request))
    context = {"server": server, "given": await in_pool(rows.first), **more}
    return await render_page(request, "chat/authorisation.html", context, status=status)


def _id(request: HttpRequest) -> int:
    return int(request.user.pk or 0)
