"""Who is asking. One way in for pages, programs and event streams."""

import logging
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render

from chat.errors import ChatError, RunActive, StorageAway, TooManyRuns
from chat.models import ApiToken
from chat.runs.pool import AWAY_ERRORS, in_pool
from chat.views.bodies import BadRequest

logger = logging.getLogger(__name__)

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
        if scheme.lower() == "bearer":
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
        if request.method not in methods:
            response = failure("This address does not take that.", "METHOD_NOT_ALLOWED", status=405)
            response.headers["Allow"] = ", ".join(methods)
            return response
        return await view(request, **kwargs)
    except BadRequest as error:
        fields = {"fields": error.fields} if error.fields else {}
        return failure(str(error), error.code, status=error.status, **fields)
    except TooManyRuns as error:
        response = failure(str(error), error.code, status=429)
        response.headers["Retry-After"] = str(error.retry_after_seconds)
        return response
    except RunActive as error:
        return failure(str(error), error.code, status=409)
    except ChatError as error:
        return failure(str(error), error.code, status=503)
    except AWAY_ERRORS:
        return storage_away(request)


def storage_away(request: HttpRequest) -> JsonResponse:
    """To be called where the exception is handled."""
    logger.exception("The database could not serve %s", request.path)
    text = "The database is away, or full. Please try again in a moment."
    return failure(text, StorageAway.code, status=503)


def not_found() -> JsonResponse:
    """What is not there, and what is somebody else's: the same."""
    return failure("There is nothing here.", "NOT_FOUND", status=404)


def is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/") or request.path in {"/chat", "/chat/stream"}


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A write without its CSRF token; programs without any credentials are told to sign in."""
    if not is_api(request):
        return render(request, "403_csrf.html", status=403)
    if not request.user.is_authenticated:
        return failure("Please sign in, or send an API token.", "UNAUTHENTICATED", status=401)
    return failure("The CSRF token is missing or old. Reload the page.", "CSRF", status=403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_api(request):
        return not_found()
    return render(request, "404.html", status=404)
