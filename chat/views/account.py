"""A person's account: what they chose, their password and sessions. Not for programs."""

from collections.abc import Callable
from typing import Any

from allauth.core import ratelimit
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.password_validation import password_validators_help_texts
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext

from chat.accounts.addresses import AddressForm
from chat.accounts.mail import can_send
from chat.accounts.passwords import store_password
from chat.language import language_of, told
from chat.models import ApiToken, Preferences, StaffAccess
from chat.runs.pool import in_pool, in_writer
from chat.views import sessions
from chat.views.bodies import MAX_SYSTEM_PROMPT_CHARACTERS, read_prompt
from chat.views.errors import too_many_requests
from chat.views.limits import limits_of
from chat.views.pages import Page, page, render_page, see_other
from chat.views.sidebar import sidebar_for
from chat.views.theme import remember_language

# All of them are in the download of what is one's own.
LOOKS_SHOWN = 20


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
        return await show(request, status=400, system_prompt=prompt, prompt_problem=told(problem))
    await in_writer(Preferences.keep, request.user, system_prompt=prompt)
    return done(request, gettext("Saved. Chats that begin from now on use this system prompt."))


@own_page("POST")
async def set_language(request: HttpRequest) -> HttpResponse:
    chosen = request.POST.get("language", "")
    known = chosen if chosen in dict(settings.LANGUAGES) else Preferences.BROWSER
    await in_writer(Preferences.keep, request.user, language=known)
    # What is said from here on is in the new language already.
    request.COOKIES[settings.LANGUAGE_COOKIE_NAME] = chosen
    translation.activate(language_of(request))
    response = done(request, gettext("Saved."))
    remember_language(response, known)
    return response


@own_page("POST")
async def change_password(request: HttpRequest) -> HttpResponse:
    """All other sessions end with the old password; this one stays."""
    if limited := await password_limit(request):
        return limited
    form = PasswordChangeForm(_owner(request), request.POST)
    # Not in the pool: hashing takes long, by design.
    if not await sync_to_async(_store_password)(request, form):
        return await show(request, status=400, password_form=form)
    await sessions.end_others(request)
    return done(request, gettext("Your password is changed. Other browsers have to sign in again."))


async def password_limit(request: HttpRequest) -> HttpResponse | None:
    """The refusal, if whoever has this session has guessed at the password too often."""
    limit = sync_to_async(ratelimit.consume)
    if await limit(request, action="reauthenticate", user=request.user):
        return None
    return await sync_to_async(too_many_requests)(request)


def _store_password(request: HttpRequest, form: PasswordChangeForm) -> bool:
    if not form.is_valid():
        return False
    # Hashing takes long. Whatever an admin has changed meanwhile is not to be written back.
    user = form.save(commit=False)
    if store_password(user):
        update_session_auth_hash(request, user)
    return True


@own_page("POST")
async def end_other_sessions(request: HttpRequest) -> HttpResponse:
    await sessions.end_others(request)
    return done(request, gettext("All other browsers are signed out."))


@own_page("POST")
async def end_session(request: HttpRequest, name: str) -> HttpResponse:
    await sessions.end(request, name)
    return done(request, gettext("That browser is signed out."))


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
        "heading": gettext("Account"),
        "sidebar": sidebar_for(request),
        "languages": settings.LANGUAGES,
        "language_chosen": request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, ""),
        "system_prompt": Preferences.of(request.user).system_prompt,
        "most_prompt_characters": MAX_SYSTEM_PROMPT_CHARACTERS,
        "tokens": list(ApiToken.live_of(request.user).order_by("-created_at", "pk")),
        "limits": limits_of(_owner(request).pk),
        "sessions": sessions.sessions_of(request),
        "looks": list(StaffAccess.objects.filter(owner=_owner(request))[:LOOKS_SHOWN]),
        "can_send": can_send(),
        "address_form": AddressForm(request.user),
        "password_form": PasswordChangeForm(_owner(request)),
        "password_rules": " ".join(password_validators_help_texts()),
    }
