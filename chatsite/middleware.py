"""Django's middleware without a thread for each of its hooks.

In an async stack Django hands every hook of its own middleware to a thread: some eleven hand-overs
a request, more than half of what a request costs here. These hooks look at headers and cookies;
the few that may ask the database, and so may wait, still get a thread.
See docs/decisions/0003-sse-from-a-view.md.
"""

from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async
from csp import middleware as csp
from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpRequest, HttpResponseBase
from django.middleware import clickjacking, common, csrf, security
from django.utils.deprecation import MiddlewareMixin


class OnTheLoop(MiddlewareMixin):
    """A middleware whose hooks run on the event loop, unless they may wait."""

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        before, after = (getattr(self, f"process_{what}", None) for what in ("request", "response"))
        response = before(request) if before else None
        response = response or await self.get_response(request)  # type: ignore[misc]
        if after is None:
            return response
        if self.may_wait(request):
            return await sync_to_async(after, thread_sensitive=True)(request, response)
        return after(request, response)

    def may_wait(self, request: HttpRequest) -> bool:
        """Whether the work behind the view may ask the database."""
        return False


class SecurityMiddleware(OnTheLoop, security.SecurityMiddleware):
    pass


class CSPMiddleware(OnTheLoop, csp.CSPMiddleware):
    pass


class CommonMiddleware(OnTheLoop, common.CommonMiddleware):
    pass


class AuthenticationMiddleware(OnTheLoop, auth.AuthenticationMiddleware):
    pass


class XFrameOptionsMiddleware(OnTheLoop, clickjacking.XFrameOptionsMiddleware):
    pass


class SessionMiddleware(OnTheLoop, sessions.SessionMiddleware):
    def may_wait(self, request: HttpRequest) -> bool:
        return request.session.modified


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
