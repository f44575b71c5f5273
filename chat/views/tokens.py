"""A person's API tokens: made, shown once, and revoked on their account page."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from chat.models import ApiToken
from chat.models.access import MOST_TOKENS
from chat.runs.pool import in_pool, in_writer
from chat.text import clean
from chat.views.account import done, own_page, show
from chat.views.pages import render_page
from chat.views.sidebar import sidebar_for

MAX_NAME_CHARACTERS = 100


@own_page("POST")
async def create_token(request: HttpRequest) -> HttpResponse:
    """The page itself and no redirect to it: the text is kept nowhere, not even for a moment."""
    name = " ".join(clean(request.POST.get("name", "")).split())
    problem = _problem(name)
    text = None if problem else await in_writer(ApiToken.issue_one_more, request.user, name)
    if text is None:
        most = {"most": MOST_TOKENS}
        too_many = _("%(most)s tokens are the most. Revoke one that is not used.") % most
        problem = problem or too_many
        return await show(request, status=400, token_name=name, token_problem=problem)
    return await show(request, status=201, new_token=text, new_token_name=name)


@own_page("GET")
async def token(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks whether to revoke it."""
    found = await in_pool(ApiToken.live_of(request.user).filter(pk=pk).first)
    if found is None:
        raise Http404
    context: dict[str, Any] = {
        "heading": _("Revoke a token"),
        "token": found,
        "sidebar": await in_pool(sidebar_for, request),
    }
    return await render_page(request, "chat/token.html", context)


@own_page("POST")
async def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    live = ApiToken.live_of(request.user).filter(pk=pk)
    if not await in_writer(live.update, revoked_at=timezone.now()):
        raise Http404
    return done(request, _("The token is revoked."))


def _problem(name: str) -> str:
    if not name:
        return _("Please give it a name, such as that of the program.")
    if len(name) > MAX_NAME_CHARACTERS:
        return _("A name may have %(most)s characters at most.") % {"most": MAX_NAME_CHARACTERS}
    return ""
