"""Who is asking. One way in for pages, programs and event streams."""

import logging
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.utils import translation

from chat import log_ids
from chat.errors import ChatError, QuotaExceeded, RunActive, StorageAway
from chat.language import language_of, told
from chat.models import ApiToken
from chat.runs.pool import AWAY_ERRORS, in_pool
from chat.text import say
from chat.views.bodies import BadRequest

logger = logging.getLogger(__name__)

# A site beside ours, such as another port of this machine, is another one as well.
FOREIGN = {"cross-site", "same-site"}

View = Callable[..., Coroutine[Any, Any, HttpResponseBase]]


class ApiRequest(HttpRequest):
    """What a view behind `api` gets: a request of a known person."""

    person: Any
    token_user: Any
    _dont_enforce_csrf_checks: bool


class TokenMiddleware:
    """Signs in a program by `Authorization: Bearer <token>`; that header alone then counts.

    No CSRF check then: a browser does not add this header to a forged request.
    """

    sync_capable = False
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response: Any = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    async def __call__(self, request: ApiRequest) -> HttpResponseBase:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        # That of /metrics is no person's.
        if scheme.lower() == "bearer" and request.path != "/metrics":
            try:
                request.token_user = await in_pool(ApiToken.owner_of, token.strip())
            except AWAY_ERRORS:
                return storage_away(request)
            if request.token_user is None:
                return failure("This token is not valid.", "UNAUTHENTICATED", status=401)
            request._dont_enforce_csrf_checks = True
        response: HttpResponseBase = await self.get_response(request)
        return response


async def person(request: HttpRequest) -> Any:
    """The signed-in user of this request, or None."""
    token_user = getattr(request, "token_user", None)
    if token_user is not None:
        return token_user
    user = await request.auser()
    return user if user.is_authenticated else None


def failure(message: str, code: str, *, status: int, **more: Any) -> JsonResponse:
    """The form of every refusal of the API."""
    return JsonResponse({"message": message, "code": code, **more}, status=status)


def api(*methods: str) -> Callable[[View], View]:
    """An endpoint of the API: JSON refusals, `request.person` set, never cached."""

    def decorate(view: View) -> View:
        @wraps(view)
        async def checked(request: ApiRequest, **kwargs: Any) -> HttpResponseBase:
            response = await _answer(view, methods, request, kwargs)
            if "Cache-Control" not in response.headers:
                response.headers["Cache-Control"] = "no-store"
            return response

        return checked

    return decorate


async def _answer(
    view: View, methods: tuple[str, ...], request: ApiRequest, kwargs: dict[str, Any]
) -> HttpResponseBase:
    try:
        request.person = await person(request)
        if request.person is None:
            return failure("Please sign in, or send an API token.", "UNAUTHENTICATED", status=401)
        log_ids.user_id.set(str(request.person.pk))
        if is_foreign(request):
            return failure("Pages of other sites get nothing here.", "CROSS_SITE", status=403)
        if request.method not in methods:
            response = failure("This address does not take that.", "METHOD_NOT_ALLOWED", status=405)
            response.headers["Allow"] = ", ".join(methods)
            return response
        return await view(request, **kwargs)
    except (BadRequest, ChatError) as error:
        with translation.override(language_of(request)):
            return refusal(error)
    except AWAY_ERRORS:
        return storage_away(request)


def is_foreign(request: HttpRequest) -> bool:
    """Whether the browser says that another site's page is asking, with the cookie of ours.

    It could not read the answer, but have streams opened and answers made.
    """
    has_token = getattr(request, "token_user", None) is not None
    return not has_token and request.headers.get("Sec-Fetch-Site", "") in FOREIGN


def refusal(error: BadRequest | ChatError) -> JsonResponse:
    """An expected failure over the API, in the language in use."""
    match error:
        case BadRequest(fields=fields) if fields:
            problems = {name: told(problem) for name, problem in fields.items()}
            text = " ".join(dict.fromkeys(problems.values()))
            return failure(text, error.code, status=error.status, fields=problems)
        case BadRequest():
            return failure(told(error), error.code, status=error.status)
        case QuotaExceeded():
            seconds = error.retry_after_seconds
            response = failure(told(error), error.code, status=429, retry_after_seconds=seconds)
            response.headers["Retry-After"] = str(seconds)
            return response
        case _:
            status = 409 if isinstance(error, RunActive) else 503
            return failure(told(error), error.code, status=status)


def storage_away(request: HttpRequest) -> JsonResponse:
    """To be called where the exception is handled."""
    logger.exception("The database could not serve %s", request.path)
    text = say("The database is away, or full. Please try again in a moment.")
    with translation.override(language_of(request)):
        return failure(told(text), StorageAway.code, status=503)


def not_found() -> JsonResponse:
    """What is not there, and what is somebody else's: the same."""
    return failure("There is nothing here.", "NOT_FOUND", status=404)


def is_api(request: HttpRequest) -> bool:
    """Whether refusals are JSON. What tells people of the API is a page like all others."""
    if request.path == "/api/docs":
        return False
    return request.path.startswith("/api/") or request.path in {"/chat", "/chat/stream"}


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A write without its CSRF token; programs without any credentials are told to sign in."""
    if not is_api(request):
        return render(request, "403_csrf.html", status=403)
    if not request.user.is_authenticated:
        return failure("Please sign in, or send an API token.", "UNAUTHENTICATED", status=401)
    text = say("The CSRF token is missing or old. Reload the page.")
    with translation.override(language_of(request)):
        return failure(told(text), "CSRF", status=403)
