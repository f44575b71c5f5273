"""What pages of other sites can do with somebody's cookie: nothing."""

import re
from itertools import product

import aiohttp
import httpx
import pytest
from django.urls import reverse

from chat import urls
from chat.models import ApiToken, Conversation
from tests.people import Person
from tests.security.admin_addresses import OPEN as OPEN_ADMIN
from tests.security.test_authorisation import MACHINE_ROUTES, OPEN_ROUTES
from tests.security.test_sign_in import OPEN_ROUTES as OUTSIDE_ROUTES
from tests.security.test_sign_in import OWN_ROUTES as ACCOUNT_ROUTES
from tests.sse import begin, read

ORIGINS = (
    *("https://evil.example", "null", "file://", "http://127.0.0.1.evil.example", ""),
    *("http://evil.example/?127.0.0.1", "http://127.0.0.1@evil.example", "127.0.0.1"),
)
ARGUMENTS = {
    "pk": "00000000-0000-0000-0000-000000000000",
    "slug": "tools",
    "name": "x",
    "text": "x",
}


def ours() -> list[str]:
    """The addresses of all routes of people, whatever they are about."""
    found = []
    for route in urls.urlpatterns:
        if route.name in (OPEN_ROUTES | MACHINE_ROUTES) - {"theme"}:
            continue
        converters = route.pattern.converters
        arguments = {name: ARGUMENTS[name] for name in converters}
        if "pk" in converters and type(converters["pk"]).__name__ == "IntConverter":
            arguments["pk"] = "1"
        found.append(reverse(route.name, kwargs=arguments))
    assert len(found) > 50
    return [*found, *outside()]


def outside() -> list[str]:
    """Those of signing in and out, of second factors and of single sign-on."""
    routes = OUTSIDE_ROUTES | ACCOUNT_ROUTES | {"login": {}, "logout": {}}
    return [reverse(name, kwargs=kwargs) for name, kwargs in routes.items()]


def forged(person: Person) -> httpx.Client:
    """What a page of another site can have sent: her cookies go along with it."""
    cookies = {"sessionid": person.session_cookie, "csrftoken": "x" * 32}
    return httpx.Client(base_url=person.site.url, cookies=cookies, timeout=30)


# Without a token, with a wrong one, and with the right one from elsewhere.
FORGED: tuple[dict[str, str], ...] = (
    *({}, {"X-CSRFToken": "y" * 32}),
    *({"X-CSRFToken": "x" * 32, "Origin": origin} for origin in ORIGINS[:2]),
)


def test_no_write_counts_without_its_token_or_from_another_page(alice: Person) -> None:
    """A cookie alone, or with the right token but from a page of another site."""
    tokens = ApiToken.live_of(alice.user).count()

    with forged(alice) as browser:
        for url in ours():
            asked = [("POST", headers) for headers in FORGED]
            asked += [("DELETE", {}), ("PATCH", {}), ("PUT", {}), ("PUT", FORGED[-1])]
            for verb, headers in asked:
                answer = browser.request(verb, url, headers=headers, data={"name": "x"})
                assert answer.status_code == 403, (verb, url, headers, answer.status_code)
        # The same from a page of ours counts.
        own = FORGED[-1] | {"Origin": alice.site.url}
        assert browser.post("/theme/", headers=own).status_code == 303

    # Signed in as before.
    assert alice.http.get("/account/").status_code == 200
    assert ApiToken.live_of(alice.user).count() == tokens
    assert not Conversation.objects.filter(owner=alice.user).exists()


def test_no_write_of_the_admin_counts_so(carol: Person, pages: list[str]) -> None:
    """Neither do those of staff, who may do all of it."""
    open_ones = [reverse(f"admin:{name}") for name in OPEN_ADMIN]

    with forged(carol) as browser:
        for url, headers in product([*pages, *open_ones], FORGED):
            answer = browser.post(url, headers=headers, data={"action": "delete_selected"})
            assert answer.status_code == 403, (url, headers, answer.status_code)

    assert carol.http.get("/admin/").status_code == 200


def test_streams_and_answers_are_not_for_pages_of_other_sites(alice: Person) -> None:
    started = begin(alice.api, "[[text Hi]]")
    read(alice.api, started["run_id"])
    stream = f"/api/runs/{started['run_id']}/events/"
    routes = [stream, "/api/conversations/", f"/api/conversations/{started['conversation_id']}/"]

    for route, foreign in product(routes, ("cross-site", "same-site")):
        headers = {"Sec-Fetch-Site": foreign}
        refused = alice.http.get(route, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "CROSS_SITE"), route
        # Programs may be anywhere: no browser adds their token by itself.
        assert alice.api.get(route, headers=headers).status_code == 200
    for own in ({}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}):
        assert alice.http.get(stream, headers=own).status_code == 200


def test_no_other_site_may_read(alice: Person) -> None:
    """No CORS: neither for what is simple nor for what is asked about first."""
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for url in [*ours(), "/", "/healthz", "/static/missing.js", "/accounts/login/", "/admin/"]:
        for verb in ("GET", "OPTIONS"):
            answer = alice.http.request(verb, url, headers=asked)
            granted = [name for name in answer.headers if name.startswith("access-control")]
            assert not granted, (verb, url, granted)


@pytest.mark.parametrize("origin", ORIGINS)
async def test_no_other_site_may_listen(alice: Person, origin: str) -> None:
    headers = {"Cookie": f"sessionid={alice.session_cookie}"} | (
        {"Origin": origin} if origin else {}
    )
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(alice.site.url.replace("http", "ws") + "/ws/", headers=headers)

    # 400: by the server itself, for what is no origin at all.
    assert refused.value.status in {400, 403}


def test_every_page_says_what_it_may_do(alice: Person, carol: Person) -> None:
    """No frames, no guessing of types, no address in a Referer; a policy without exceptions."""
    answers = [alice.http.get(url) for url in (*ours(), "/accounts/login/", "/nowhere/")]
    answers += [carol.http.get(f"/admin/{page}") for page in ("", "health/", "chat/toolrun/")]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy or "default-src 'none'" in policy, answer.url
        assert "unsafe" not in policy
        assert not re.search(r"https?:|\*", policy), policy
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
