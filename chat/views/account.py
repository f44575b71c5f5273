"""A person's account: what they chose, their password and sessions. Not for programs."""

from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.contrib.auth import SESSION_KEY, update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.password_validation import password_validators_help_texts
from django.contrib.sessions.models import Session
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from chat.models import ApiToken, Preferences
from chat.runs.pool import in_pool, in_writer
from chat.views.bodies import MAX_SYSTEM_PROMPT_CHARACTERS, read_prompt
from chat.views.pages import Page, page, render_page, see_other
from chat.views.sidebar import sidebar_for


def own_page(method: str) -> Callable[[Page], Page]:
    """As `page`, but for a session only: a stolen token must not make more of itself."""

    def decorate(view: Page) -> Page:
        async def checked(request: HttpRequest, **kwargs: Any) -> HttpResponse:
            if hasattr(request, "token_user"):
                raise Http404
            return await view(request, **kwargs)

        return page(method)(checked)

    return decorate


@own_page("GET")
async def account(request: HttpRequest) -> HttpResponse:
    return await show(request)


@own_page("POST")
async def set_preferences(request: HttpRequest) -> HttpResponse:
    prompt, problem = read_prompt(request.POST.get("system_prompt", ""))
    if problem:
        return await show(request, status=400, system_prompt=prompt, prompt_problem=problem)
    await in_writer(Preferences.keep, request.user, system_prompt=prompt)
    return done(request, "Saved. Chats that begin from now on use this system prompt.")


@own_page("POST")
async def change_password(request: HttpRequest) -> HttpResponse:
    """All other sessions end with the old password; this one stays."""
    form = PasswordChangeForm(_owner(request), request.POST)
    # Not in the pool: hashing takes long, by design.
    if not await sync_to_async(_store_password)(request, form):
        return await show(request, status=400, password_form=form)
    return done(request, "Your password is changed. Other browsers have to sign in again.")


def _store_password(request: HttpRequest, form: PasswordChangeForm) -> bool:
    if not form.is_valid():
        return False
    update_session_auth_hash(request, form.save())
    return True


@own_page("POST")
async def end_other_sessions(request: HttpRequest) -> HttpResponse:
    """What they have open ends within 30 s: chat/runs/readers.py."""
    keys = await in_pool(_other_sessions, _owner(request), str(request.session.session_key))
    await in_writer(Session.objects.filter(session_key__in=keys).delete)
    return done(request, "All other browsers are signed out.")


def _other_sessions(owner: Any, own_key: str) -> list[str]:
    """Django's sessions name nobody on the outside, so all are opened: a second for 20,000."""
    live = Session.objects.filter(expire_date__gt=timezone.now()).exclude(session_key=own_key)
    return [
        row.session_key
        for row in live.iterator()
        if row.get_decoded().get(SESSION_KEY) == str(owner.pk)
    ]


def _owner(request: HttpRequest) -> Any:
    """Somebody, behind `page`."""
    return request.user


def done(request: HttpRequest, what: str) -> HttpResponse:
    """Back to the account, which then says what was done."""
    messages.success(request, what)
    return see_other(reverse("account"))


async def show(request: HttpRequest, *, status: int = 200, **more: Any) -> HttpResponse:
    context = {**await in_pool(_context, request), **more}
    return await render_page(request, "chat/account.html", context, status=status)


def _context(request: HttpRequest) -> dict[str, Any]:
    return {
        "heading": "Account",
        "sidebar": sidebar_for(request),
        "system_prompt": Preferences.of(request.user).system_prompt,
        "most_prompt_characters": MAX_SYSTEM_PROMPT_CHARACTERS,
        "tokens": list(ApiToken.live_of(request.user).order_by("-created_at", "pk")),
        "password_form": PasswordChangeForm(_owner(request)),
        "password_rules": " ".join(password_validators_help_texts()),
    }
