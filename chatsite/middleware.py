"""Django's middleware without a thread for each of its hooks.

In an async stack Django hands every hook of its own middleware to a thread: some eleven hand-overs
a request, more than half of what a request costs here. These hooks look at headers and cookies;
the few that may ask the database, and so may wait, still get a thread.
See docs/decisions/0003-sse-from-a-view.md.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, cast

from asgiref.sync import sync_to_async
from csp import middleware as csp
from csp.utils import build_policy
from django.conf import settings
from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware import clickjacking, common, csrf, security
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.deprecation import MiddlewareMixin

from chat.language import language_of
from chat.models.sessions import SessionStore
from chat.runs import pool
from chat.views.access import is_api


@cache
def _policy() -> str:
    return build_policy()


class OnTheLoop(MiddlewareMixin):
    """A middleware whose hooks run on the event loop, unless they may wait."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        super().__init__(get_response)
        self._before = getattr(self, "process_request", None)
        self._after = getattr(self, "process_response", None)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._before(request) if self._before else None
        response = response or await self.get_response(request)  # type: ignore[misc]
        after = self._after
        if after is None:
            return response
        if self.may_wait(request):
            return await sync_to_async(after, thread_sensitive=True)(request, response)
        return after(request, response)

    def may_wait(self, request: HttpRequest) -> bool:
        """Whether the work behind the view may ask the database."""
        return False


class SecurityMiddleware(OnTheLoop, security.SecurityMiddleware):
    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        response.headers.setdefault("Permissions-Policy", settings.PERMISSIONS_POLICY)
        return super().process_response(request, response)


class CSPMiddleware(OnTheLoop, csp.CSPMiddleware):
    """The policy is the same for every response, so it is put together once."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if settings.DEBUG:
            # Django's own pages of errors have scripts in them.
            return super().process_response(request, response)
        response.headers.setdefault("Content-Security-Policy", _policy())
        return response


class CommonMiddleware(OnTheLoop, common.CommonMiddleware):
    pass


class AuthenticationMiddleware(OnTheLoop, auth.AuthenticationMiddleware):
    pass


class XFrameOptionsMiddleware(OnTheLoop, clickjacking.XFrameOptionsMiddleware):
    pass


class SessionMiddleware(OnTheLoop, sessions.SessionMiddleware):
    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        store = cast(SessionStore, request.session)
        store.user_agent = request.headers.get("User-Agent", "")

    def may_wait(self, request: HttpRequest) -> bool:
        return request.session.modified


class LanguageMiddleware(OnTheLoop):
    """Pages are in the language of who reads them; what programs get needs none."""

    def process_request(self, request: HttpRequest) -> None:
        if not is_api(request):
            language = language_of(request)
            translation.activate(language)
            pool.language.set(language)

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if response.headers.get("Content-Type", "").startswith("text/html"):
            response.headers.setdefault("Content-Language", translation.get_language() or "")
            patch_vary_headers(response, ("Accept-Language", "Cookie"))
        return response


class NotKeptMiddleware(OnTheLoop):
    """Browsers keep no page of signing in: there are keys and codes on them."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if request.path.startswith("/accounts/"):
            response.headers["Cache-Control"] = "no-store"
        return response


class MessageMiddleware(OnTheLoop, messages.MessageMiddleware):
    def may_wait(self, request: HttpRequest) -> bool:
        storage = getattr(request, "_messages", None)
        return storage is not None and (storage.used or storage.added_new)


class CsrfViewMiddleware(OnTheLoop, csrf.CsrfViewMiddleware):
    async def process_view(  # type: ignore[override]
        self, request: HttpRequest, view: Callable, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        """A refusal's page asks who is there, so what may be refused is looked at in a thread."""
        check = super().process_view
        if request.method in {"GET", "HEAD"} or hasattr(request, "token_user"):
            return check(request, view, args, kwargs)
        return await sync_to_async(check, thread_sensitive=True)(request, view, args, kwargs)
