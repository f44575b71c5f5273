"""Signing in: what it changes, what it refuses, and what it costs those who only read."""

import asyncio
import base64
import hmac
import re
import secrets
import socket
import struct
import time
from collections.abc import Iterator
from html import unescape
from threading import Event
from typing import Any

import httpx
import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.module_loading import import_string

from chat.accounts import urls as accounts
from chat.models import Invitation
from chatsite.cache import SharedCache
from chatsite.handler import Handler
from tests.people import PASSWORD, Person
from tests.servers.mail_server import MailServer
from tests.servers.site import Site
from tests.sse import wait_until

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


def form_for(client: httpx.Client, url: str = "/accounts/login/", **fields: str) -> dict[str, str]:
    """What a browser would send: the fields, and the token that came with the page."""
    client.get(url)
    return {**fields, "csrfmiddlewaretoken": client.cookies["csrftoken"]}


def try_in(
    client: httpx.Client, username: str, password: str, next_url: str = ""
) -> httpx.Response:
    form = form_for(client, username=username, password=password, next=next_url)
    return client.post("/accounts/login/", data=form)


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


class SlowMailServer(MailServer):
    """Answers only while `answers` is set, or after seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = Event()
        self.answers.set()

    async def handle_DATA(self, *mail: Any) -> str:  # noqa: N802
        await asyncio.to_thread(self.answers.wait, 60)
        return await super().handle_DATA(*mail)

    def to(self, address: str) -> list[Any]:
        return [mail for mail in self.mails if mail["To"] == address]


@pytest.fixture(scope="module")
def mail_server() -> Iterator[SlowMailServer]:
    with SlowMailServer() as server:
        yield server


@pytest.fixture(scope="module")
def gate(site: Site, mail_server: SlowMailServer) -> Iterator[Site]:
    """A site behind a proxy, with mail; the one that all tests share has neither."""
    with Site(TRUSTED_PROXIES="1", EMAIL_URL=mail_server.url) as running:
        yield running


def browser(site: Site, address: str = "") -> httpx.Client:
    """Behind our proxy. What a person claims comes first; the last one is the proxy's."""
    seen = address or f"10.7.{secrets.randbelow(250)}.{secrets.randbelow(250)}"
    forwarded = {"X-Forwarded-For": f"{secrets.token_hex(2)}, 10.9.9.9, {seen}"}
    return httpx.Client(base_url=site.url, headers=forwarded, timeout=30)


def test_the_eleventh_wrong_try_in_a_minute_is_429(gate: Site, alice: Person) -> None:
    here = f"10.{secrets.randbelow(250)}.{secrets.randbelow(250)}.1"
    with browser(gate, here) as client, browser(gate, here[:-1] + "2") as other:
        wrong = [try_in(client, f"nobody-{n}", "wrong").status_code for n in range(5)]
        wrong += [try_in(client, alice.username, "wrong").status_code for _ in range(5)]
        assert wrong == [200] * 10
        limited = try_in(client, alice.username, PASSWORD)
        assert (limited.status_code, limited.headers["retry-after"]) == (429, "60")
        assert 'role="alert"' in limited.text
        # Another address may still try, and tries that were right are not counted.
        for _ in range(6):
            assert try_in(other, alice.username, PASSWORD).status_code == 302
            other.cookies.clear()


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


def test_a_new_password_by_mail(gate: Site, mail_server: SlowMailServer, alice: Person) -> None:
    path = "/accounts/password/reset/"
    assert "ask an admin" in alice._client().get(path).text
    with browser(gate) as client:
        unknown = client.post(path, data=form_for(client, path, email="nobody@example.test"))
        mail_server.answers.clear()
        known = client.post(path, data=form_for(client, path, email=alice.user.email))
        # No difference between who has an account and who has none, nor in time: nobody waits
        # for the mail server.
        assert unknown.headers["location"] == known.headers["location"] == f"{path}done/"
        assert mail_server.to(alice.user.email) == []
        mail_server.answers.set()
        (mail,) = wait_until(lambda: mail_server.to(alice.user.email))
        assert alice.username in mail.get_content()
        link = re.search(r"http://\S+", mail.get_content())[0]
        assert link.startswith(gate.url)

        # The address of the form does not have the key, which would go along to others.
        page = client.get(link).headers["location"]
        new = {"password1": "a ferry crosses at noon", "password2": "a ferry crosses at noon"}
        assert 'id="password-rules"' in client.get(page).text
        short = {"password1": "12345", "password2": "12345"}
        assert client.post(page, data=form_for(client, page, **short)).status_code == 200
        assert client.post(page, data=form_for(client, page, **new)).status_code == 302
        assert "is too old" in client.get(link, follow_redirects=True).text
        assert try_in(client, alice.username, new["password1"]).status_code == 302
    assert alice.http.get("/account/").status_code == 302


def test_an_invitation_is_for_one_person_and_some_days(
    gate: Site, mail_server: SlowMailServer, carol: Person, alice: Person
) -> None:
    assert "By invitation only" in alice._client().get("/accounts/signup/").text
    add, name = "/admin/chat/invitation/add/", f"dora-{secrets.token_hex(4)}"
    email = f"{name}@example.test"
    with browser(gate) as admin, browser(gate) as dora, browser(gate) as eve:
        admin.cookies.set("sessionid", carol.session_cookie)
        until = "2999-01-01T12:00"
        admin.post(add, data=form_for(admin, add, email=email, expires_at=until))
        mail = next(mail for mail in mail_server.mails if mail["To"] == email)
        link = re.search(r"http://\S+", mail.get_content())[0]
        # Also to be copied, where there is no mail.
        assert link in unescape(admin.get("/admin/chat/invitation/").text)

        assert email in dora.get(link).text
        new = {"username": name, "email": email, "password1": PASSWORD, "password2": PASSWORD}
        form = form_for(eve, link, **new | {"username": f"{name}-eve", "email": ""})
        assert eve.post(f"{link}x", data=form).status_code == 200
        assert dora.post(link, data=form_for(dora, link, **new)).headers["location"] == "/"
        assert name in dora.get("/account/").text
        assert eve.post(link, data=form).status_code == 200
        assert "By invitation only" in eve.get(link).text

    users = type(alice.user).objects
    assert not users.filter(username=f"{name}-eve").exists()
    used = Invitation.objects.get(email=email)
    assert (used.used_by.username, used.invited_by) == (name, carol.user)
    assert not used.take(alice.user)
    old = Invitation.objects.create(expires_at=timezone.now())
    assert Invitation.by_text(old.text) is None
    assert not old.take(alice.user)


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


def test_an_address_is_changed_by_who_reads_its_mail(
    gate: Site, mail_server: SlowMailServer, alice: Person, bob: Person
) -> None:
    ask, new = "/account/addresses/", f"{secrets.token_hex(4)}@Example.test"

    def post(client: httpx.Client, address: str, password: str = PASSWORD) -> httpx.Response:
        values = {"address-email": address, "address-password": password}
        return client.post(ask, data=form_for(client, "/account/", **values))

    with browser(gate) as hers, browser(gate) as his:
        hers.cookies.set("sessionid", alice.session_cookie)
        his.cookies.set("sessionid", bob.session_cookie)
        wrong = post(hers, new, "wrong")
        assert (wrong.status_code, "That is not your password." in wrong.text) == (400, True)
        # Whether somebody else has it is not told, nor shown by who waits for the mail server.
        mail_server.answers.clear()
        for address in (bob.user.email, new):
            assert post(hers, address).status_code == 303
            assert f"A link is on its way to {address.lower()}" in hers.get("/account/").text
        assert post(hers, new).status_code == 429
        mail_server.answers.set()
        (mail,) = wait_until(
            lambda: [*mail_server.to(new.lower()), *mail_server.to(bob.user.email)]
        )
        link = re.search(r"http://\S+", mail.get_content())[0]

        # The link alone changes nothing, and is nobody else's.
        assert new.lower() in hers.get(link).text
        confirm = f"{link}confirmations/"
        assert his.get(link).status_code == 404
        assert his.post(confirm, data=form_for(his, "/account/")).headers["location"] in link
        alice.user.refresh_from_db()
        assert alice.user.email != new.lower()

        before = alice.user.email
        form = form_for(hers, "/account/")
        assert hers.post(confirm, data=form).headers["location"] == "/account/"
        assert "Your e-mail address is changed." in hers.get("/account/").text
        assert hers.get(link).status_code == 404
    alice.user.refresh_from_db()
    assert alice.user.email == new.lower()
    # The old one hears of it; and for single sign-on nobody has vouched for the new one.
    (told,) = wait_until(lambda: mail_server.to(before))
    assert new.lower() in told.get_content()
    assert not alice.user.emailaddress_set.get().verified


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


def test_without_redis_each_process_counts_by_itself() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        cache = SharedCache(f"redis://127.0.0.1:{closed.getsockname()[1]}", {})
        assert cache.add("a-lock", 1)
        assert not cache.add("a-lock", 1)
        cache.delete("a-lock")
        cache.set("tries", [1.0, 2.0])
        assert (cache.get("a-lock"), cache.get("tries")) == (None, [1.0, 2.0])


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


@pytest.mark.parametrize("path", ["/accounts/login/", "/accounts/inactive/"])
def test_pages_outside_are_german_too(alice: Person, path: str) -> None:
    page = alice._client().get(path, headers={"Accept-Language": "de"}).text
    assert '<html lang="de"' in page
    assert "Anmelden" in page
