"""Signing in: what it changes, what it refuses, and what it costs those who only read."""

import base64
import hmac
import re
import secrets
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.urls import URLPattern, reverse
from django.utils.module_loading import import_string

from chat.accounts import urls as accounts
from chatsite.handler import Handler
from tests.people import PASSWORD, Person
from tests.security.signing_in import form_for, try_in

CONFIRM = "/accounts/reauthenticate/"
OPEN_ROUTES: dict[str, dict[str, object]] = {
    "account_login": {},
    "account_signup": {},
    "account_inactive": {},
    "account_reset_password": {},
    "account_reset_password_done": {},
    "account_reset_password_from_key": {"uidb36": "1", "key": "x"},
    "account_reset_password_from_key_done": {},
    "openid_connect_login": {"provider_id": "oidc"},
    "openid_connect_callback": {"provider_id": "oidc"},
    "mfa_login_webauthn": {},
}
# For who is signed in; mfa_authenticate for who has given a password.
OWN_ROUTES: dict[str, dict[str, object]] = {
    "account_reauthenticate": {},
    "mfa_index": {},
    "mfa_authenticate": {},
    "mfa_reauthenticate": {},
    "mfa_activate_totp": {},
    "mfa_deactivate_totp": {},
    "mfa_view_recovery_codes": {},
    "mfa_generate_recovery_codes": {},
    "mfa_download_recovery_codes": {},
    "mfa_list_webauthn": {},
    "mfa_add_webauthn": {},
    "mfa_reauthenticate_webauthn": {},
    "mfa_remove_webauthn": {"pk": 0},
    "mfa_edit_webauthn": {"pk": 0},
}


def test_the_session_is_another_one_after_signing_in(alice: Person) -> None:
    client = alice._client()
    # Somebody who knows the session from before must not know the one after.
    planted = secrets.token_hex(16)
    client.cookies.set("sessionid", planted)
    before = form_for(client)["csrfmiddlewaretoken"]

    response = try_in(client, alice.username, PASSWORD, "/account/")

    assert (response.status_code, response.headers["location"]) == (302, "/account/")
    keys = {cookie.value for cookie in client.cookies.jar if cookie.name == "sessionid"}
    assert len(keys - {planted}) == 1
    assert before not in client.cookies["csrftoken"]
    away = try_in(alice._client(), alice.username, PASSWORD, "https://elsewhere.test/")
    assert away.headers["location"] == "/"


def test_the_admin_is_behind_the_same_sign_in(alice: Person, carol: Person) -> None:
    client = carol._client()
    response = client.get("/admin/login/?next=/admin/chat/toolrun/")
    assert response.headers["location"] == "/accounts/login/?next=%2Fadmin%2Fchat%2Ftoolrun%2F"
    form = {"username": carol.username, "password": PASSWORD}
    posted = client.post("/admin/login/", data=form_for(client, **form))
    assert posted.headers["location"].startswith("/accounts/login/")
    assert "sessionid" not in client.cookies

    assert try_in(client, carol.username, PASSWORD, "/admin/").headers["location"] == "/admin/"
    assert client.get("/admin/").status_code == 200
    assert alice.http.get("/admin/login/").status_code == 403


def test_accounts_of_before_sign_in_as_they_did(alice: Person) -> None:
    twin = type(alice.user).objects.create(
        username=alice.username.upper(), password=alice.user.password, email=""
    )
    client = alice._client()
    assert try_in(client, twin.username, PASSWORD).status_code == 302
    assert twin.username in client.get("/account/").text
    twin.is_active = False
    twin.save()
    assert client.get("/account/").status_code == 302
    assert try_in(alice._client(), twin.username, PASSWORD).status_code == 200
    twin.delete()


def code_of(secret: str, later: int = 0) -> str:
    """What an app for such codes shows: RFC 6238."""
    counter = struct.pack(">Q", int(time.time()) // 30 + later)
    digest = hmac.digest(base64.b32decode(secret), counter, "sha1")
    place = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[place : place + 4])[0] & 0x7FFFFFFF) % 10**6:06}"


def test_with_a_second_factor_a_password_is_not_enough(alice: Person) -> None:
    setup, client = "/accounts/2fa/totp/activate/", alice.http
    confirm = client.get(setup).headers["location"]
    wrong = form_for(client, confirm, password="wrong", next=setup)
    assert client.post(confirm, data=wrong).status_code == 200
    right = form_for(client, confirm, password=PASSWORD, next=setup)
    assert client.post(confirm, data=right).headers["location"] == setup
    secret = re.search(r"<code>([A-Z2-7]{32})</code>", client.get(setup).text)[1]
    csrf = client.cookies["csrftoken"]
    form = {"csrfmiddlewaretoken": csrf, "code": code_of(secret)}
    shown = client.get(client.post(setup, data=form).headers["location"]).text
    codes = re.findall(r"<code>(\d{8})</code>", shown)
    assert len(codes) == 10
    stored = str(list(Authenticator.objects.filter(user=alice.user).values_list("data")))
    assert secret not in stored
    assert codes[0] not in stored

    other, step = alice._client(), "/accounts/2fa/authenticate/"
    assert try_in(other, alice.username, PASSWORD, "/account/").headers["location"] == step
    for path in ("/account/", "/admin/"):
        assert other.get(path).status_code == 302
    assert other.get("/api/conversations/").status_code == 401
    assert other.post(step, data=form_for(other, step, code="000000")).status_code == 200
    code = code_of(secret, later=1)
    assert (
        other.post(step, data=form_for(other, step, code=code)).headers["location"] == "/account/"
    )
    assert other.get("/account/").status_code == 200

    for recovery, enters in ((code, False), (codes[0], True), (codes[0], False)):
        third = alice._client()
        try_in(third, alice.username, PASSWORD)
        third.post(step, data=form_for(third, step, code=recovery))
        assert (third.get("/account/").status_code == 200) is enters
    # Programs have their own.
    assert alice.api.get("/api/conversations/").status_code == 200


def test_a_second_factor_that_is_set_up_twice_at_once_is_set_up(alice: Person) -> None:
    setup, client = "/accounts/2fa/totp/activate/", alice.http
    confirm = client.get(setup).headers["location"]
    client.post(confirm, data=form_for(client, confirm, password=PASSWORD, next=setup))
    secret = re.search(r"<code>([A-Z2-7]{32})</code>", client.get(setup).text)[1]
    form = {"csrfmiddlewaretoken": client.cookies["csrftoken"], "code": code_of(secret)}

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.post(setup, data=form), range(8)))

    assert [answer.status_code for answer in answers] == [302] * 8
    assert Authenticator.objects.filter(user=alice.user, type="totp").count() == 1


async def test_who_only_reads_pays_no_thread_for_it() -> None:
    assert all(import_string(path).async_capable for path in settings.MIDDLEWARE)
    handler, sent = Handler(), []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b""} if not sent else {"type": "http.disconnect"}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost")]
    scope = {"type": "http", "method": "GET", "path": "/healthz", "headers": headers}
    await handler({**scope, "query_string": b""}, receive, send)

    assert sent[0]["status"] == 200
    # Each of them starts its thread when something is handed to it for the first time.
    assert not any(thread._threads for _context, thread in handler._threads)


def routes(patterns: list[Any]) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield str(pattern.name)
        else:
            yield from routes(pattern.url_patterns)


def test_every_route_of_signing_in_has_its_row(alice: Person, bob: Person) -> None:
    assert set(routes(accounts.urlpatterns)) == OPEN_ROUTES.keys() | OWN_ROUTES.keys()
    key = Authenticator.objects.create(user=bob.user, type=Authenticator.Type.WEBAUTHN, data={})
    for name, kwargs in (OPEN_ROUTES | OWN_ROUTES).items():
        url = reverse(name, kwargs={**kwargs, **({"pk": key.pk} if "pk" in kwargs else {})})
        for client in (alice._client(), alice.api):
            response = client.get(url)
            assert response.headers["cache-control"] == "no-store", url
            if name in OWN_ROUTES:
                # Nor for a token: it must not make more of itself.
                assert response.status_code in {302, 403}, url
                assert response.headers.get("location", "/accounts/").startswith("/accounts/")
    # Whoever confirmed that it is them may still not take away what is another's.
    alice.http.post(CONFIRM, data=form_for(alice.http, CONFIRM, password=PASSWORD, next="/"))
    for name in ("mfa_remove_webauthn", "mfa_edit_webauthn"):
        assert alice.http.get(reverse(name, kwargs={"pk": key.pk})).status_code == 404
    key.delete()


@pytest.mark.parametrize("path", ["/accounts/login/", "/accounts/password/reset/"])
def test_a_next_address_that_cannot_be_read_leads_nowhere(alice: Person, path: str) -> None:
    for address in ("http://[x", "http://\u2100.test/"):
        with httpx.Client(base_url=alice.site.url) as anybody:
            assert anybody.get(path, params={"next": address}).status_code == 200


@pytest.mark.parametrize("path", ["/accounts/login/", "/accounts/inactive/"])
def test_pages_outside_are_german_too(alice: Person, path: str) -> None:
    page = alice._client().get(path, headers={"Accept-Language": "de"}).text
    assert '<html lang="de"' in page
    assert "Anmelden" in page
