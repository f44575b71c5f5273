"""The cast: people with an account, a session and a token of their own in each test."""

import secrets
from functools import cache, cached_property
from types import TracebackType
from typing import Any, Self

import httpx
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.auth.hashers import make_password
from django.utils import timezone

from chat.models import ACTIVE_STATUSES, AgentRun, ApiToken
from chat.models.sessions import SessionStore
from tests.document import check_response
from tests.servers.site import Site

PASSWORD = "correct horse battery staple"


@cache
def password_hash() -> str:
    """Made once: hashing a password is slow by design."""
    return make_password(PASSWORD)


def nobody_goes_on(owner: Any) -> None:
    """What a test has left is stopped, wherever it lives; nor is it taken over a moment later."""
    left = AgentRun.objects.filter(owner=owner, status__in=ACTIVE_STATUSES)
    left.filter(cancel_requested_at=None).update(cancel_requested_at=timezone.now())


class Person:
    """`http` is signed in with a session, `api` with a token; both speak to `site`."""

    def __init__(self, name: str, site: Site, *, is_staff: bool = False) -> None:
        self.site = site
        self.username = f"{name}-{secrets.token_hex(4)}"
        self.password = PASSWORD
        self.user = get_user_model().objects.create(
            username=self.username,
            password=password_hash(),
            email=f"{self.username}@example.test",
            is_staff=is_staff,
            is_superuser=is_staff,
        )
        self.token = ApiToken.issue(self.user)[1]
        self.session_cookie = self._session()
        self._clients: list[httpx.Client] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for client in self._clients:
            client.close()
        nobody_goes_on(self.user.pk)

    def _session(self) -> str:
        session = SessionStore()
        session[SESSION_KEY] = str(self.user.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = self.user.get_session_auth_hash()
        session.create()
        return str(session.session_key)

    @cached_property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @cached_property
    def http(self) -> httpx.Client:
        return self._client(cookies={settings.SESSION_COOKIE_NAME: self.session_cookie})

    @cached_property
    def api(self) -> httpx.Client:
        hooks = {"response": [check_response]}
        return self._client(headers=self.headers, event_hooks=hooks)

    def _client(self, **options: dict[str, Any]) -> httpx.Client:
        client = httpx.Client(base_url=self.site.url, timeout=30, **options)  # type: ignore[arg-type]
        self._clients.append(client)
        return client
