"""A session begins anew at sign-in, and after sign-out its cookie opens nothing."""

import re

import aiohttp
import httpx
import pytest
from django.conf import settings

from chat.models.sessions import SessionStore
from tests.people import PASSWORD, Person
from tests.sse import begin, frames

COOKIE = settings.SESSION_COOKIE_NAME


def sign_in(browser: httpx.Client, person: Person) -> httpx.Response:
    page = browser.get("/accounts/login/").text
    (name,) = {"username", "login"} & set(re.findall(r'name="(\w+)"', page))
    form = {name: person.username, "password": PASSWORD}
    form["csrfmiddlewaretoken"] = re.findall(r'csrfmiddlewaretoken" value="(\w+)"', page)[0]
    return browser.post("/accounts/login/", data=form, headers={"Referer": str(browser.base_url)})


def test_who_signs_in_gets_another_session_and_token(alice: Person) -> None:
    known = SessionStore()
    known.create()
    cookies = {COOKIE: str(known.session_key)}

    with httpx.Client(base_url=alice.site.url, cookies=cookies) as browser:
        before = browser.get("/accounts/login/").cookies["csrftoken"]
        answer = sign_in(browser, alice)

    assert answer.status_code == 302, answer.text
    assert answer.cookies[COOKIE] != known.session_key
    assert answer.cookies["csrftoken"] != before
    said = answer.headers.get_list("set-cookie")
    (session,) = [cookie for cookie in said if cookie.startswith(f"{COOKIE}=")]
    assert {"HttpOnly", "SameSite=Lax"} <= set(session.split("; "))
    # Who had planted the first one is nobody with it.
    assert httpx.get(f"{alice.site.url}/", cookies=cookies).status_code == 302


async def test_after_sign_out_the_old_cookie_opens_nothing(alice: Person) -> None:
    started = begin(alice.api, "[[text Hi]][[stall]]")
    stream = f"/api/runs/{started['run_id']}/events/"
    page = alice.http.get("/")
    assert page.headers["cache-control"] == "no-store"
    token = alice.http.cookies["csrftoken"]

    left = alice.http.post("/accounts/logout/", headers={"X-CSRFToken": token})
    assert left.status_code in {200, 302}
    old = {COOKIE: alice.session_cookie}
    with httpx.Client(base_url=alice.site.url, cookies=old) as browser:
        for url in ("/", "/account/", f"/c/{started['conversation_id']}/", "/admin/"):
            assert browser.get(url).headers["location"].startswith(("/accounts/", "/admin/login/"))
        for url in (stream, "/api/conversations/", f"/api/runs/{started['run_id']}/"):
            assert browser.get(url).json()["code"] == "UNAUTHENTICATED"
    headers = {"Origin": alice.site.url, "Cookie": f"{COOKIE}={alice.session_cookie}"}
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await http.ws_connect(alice.site.url.replace("http", "ws") + "/ws/", headers=headers)
    # Her program goes on.
    with alice.api.stream("GET", stream) as response:
        assert next(frames(response)).event == "content"
    alice.api.post(f"/api/runs/{started['run_id']}/cancellations/")


def test_a_cookie_that_no_database_can_look_for_is_nobodys(alice: Person) -> None:
    # As cookies write NUL; PostgreSQL cannot be asked for a text with one.
    headers = {"Cookie": f'{COOKIE}="\\000{"a" * 31}"'}

    assert httpx.get(f"{alice.site.url}/", headers=headers).status_code == 302
    assert httpx.get(f"{alice.site.url}/accounts/login/", headers=headers).status_code == 200
