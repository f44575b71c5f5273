"""Single sign-on: whom a provider may let in, and as whom."""

import secrets
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from allauth.account.models import EmailAddress
from cryptography.hazmat.primitives.asymmetric import rsa
from django.contrib.auth import get_user_model

from tests.people import PASSWORD, Person
from tests.servers.oidc_provider import OIDCProvider
from tests.servers.site import Site
from tests.sse import wait_until


@pytest.fixture
def provider() -> Iterator[OIDCProvider]:
    with OIDCProvider() as running:
        yield running


def come(site: Site, next_url: str = "/account/") -> httpx.Response:
    """A new browser, all the way there and back."""
    with httpx.Client(base_url=site.url, follow_redirects=True, timeout=30) as client:
        return client.get("/accounts/oidc/", params={"next": next_url})


def test_whom_a_provider_lets_in(
    new_site: Callable[..., Site], provider: OIDCProvider, alice: Person, bob: Person
) -> None:
    site = new_site(**provider.environment, OIDC_NAME="The <Harbour>", OIDC_ALLOW_SIGNUP="true")
    page = httpx.get(f"{site.url}/accounts/login/?next=/account/").text
    assert 'href="/accounts/oidc/?next=%2Faccount%2F">Sign in with The &lt;Harbour&gt;<' in page

    # The account that an admin made, by an address that the provider has verified.
    hers = {"sub": "a-1", "email": alice.user.email.upper(), "email_verified": True}
    provider.claims = {**hers, "email_verified": "false"}
    assert "not known to be yours" in come(site).text
    provider.claims = hers
    page = come(site)
    assert (page.status_code, page.url.path) == (200, "/account/")
    assert alice.username in page.text
    alice.user.refresh_from_db()
    assert alice.user.check_password(PASSWORD)
    # From then on by who she is there, whatever her address.
    provider.claims = {"sub": "a-1", "email": "else@example.test", "email_verified": False}
    assert alice.username in come(site).text

    # An address that somebody gave themselves proves nothing.
    EmailAddress.objects.create(user=bob.user, email=bob.user.email, primary=True)
    provider.claims = {"sub": "b-1", "email": bob.user.email, "email_verified": True}
    assert "not known to be yours" in come(site).text

    # A new person, also where the name is taken.
    email = f"new-{secrets.token_hex(4)}@example.test"
    new = {"sub": "n-1", "email": email, "email_verified": True}
    provider.claims = {**new, "preferred_username": alice.username}
    assert come(site).status_code == 200
    made = get_user_model().objects.get(email=email)
    assert made.username != alice.username
    assert not made.has_usable_password()
    # Nobody is led to tie another account to theirs.
    assert httpx.get(f"{site.url}/accounts/oidc/?process=connect").status_code == 404


def test_what_a_provider_must_prove(
    new_site: Callable[..., Site], provider: OIDCProvider, alice: Person
) -> None:
    site = new_site(**provider.environment)
    good = {"sub": "a-2", "email": alice.user.email, "email_verified": True}
    bad = [{"iss": "https://else.test"}, {"aud": "another"}, {"exp": 1}, {"sub": "b-2"}]
    for lies in bad:
        provider.claims, provider.lies = good, lies
        page = come(site)
        assert "did not confirm who you are" in page.text, lies
        assert (page.status_code, page.url.path) == (403, "/accounts/oidc/callback/")
    provider.lies = {}
    provider.signs_with = rsa.generate_private_key(65537, 2048)
    assert "did not confirm" in come(site).text
    provider.signs_with = provider.key

    # A way back that this browser did not begin.
    for query in ({"code": "x", "state": "y"}, {"code": "x"}, {"error": "access_denied"}):
        back = httpx.get(f"{site.url}/accounts/oidc/callback/", params=query)
        assert back.status_code == 403

    provider.claims = {"sub": "n-2", "email": "new@example.test", "email_verified": True}
    assert "By invitation only" in come(site).text
    assert alice._client().get("/accounts/oidc/").status_code == 404
    provider.is_broken = True
    assert "did not confirm" in come(site).text


@pytest.mark.parametrize("odd", [{"name": {"a": 1}}, {"family_name": "a\0"}, {"email": ["x"]}])
def test_odd_claims_are_refused_or_left_out(
    new_site: Callable[..., Site], provider: OIDCProvider, odd: dict[str, object]
) -> None:
    site = new_site(**provider.environment, OIDC_ALLOW_SIGNUP="true")
    email = f"new-{secrets.token_hex(4)}@example.test"
    provider.claims = {"sub": email, "email": email, "email_verified": True, **odd}

    assert come(site).status_code in {200, 403}


def test_who_has_no_password_deletes_the_account_by_its_name(
    new_site: Callable[..., Site], provider: OIDCProvider
) -> None:
    site = new_site(**provider.environment, OIDC_ALLOW_SIGNUP="true")
    email = f"new-{secrets.token_hex(4)}@example.test"
    provider.claims = {"sub": email, "email": email, "email_verified": True}
    here = get_user_model().objects.filter(email=email)
    with httpx.Client(base_url=site.url, follow_redirects=True, timeout=30) as client:
        page = client.get("/accounts/oidc/", params={"next": "/account/"})
        assert "Your user name" in page.text
        client.headers.update({"Referer": site.url, "X-CSRFToken": client.cookies["csrftoken"]})
        refused = client.post("/account/deletions/", data={"name": "somebody"})
        assert "That is not your user name." in refused.text
        client.post("/account/deletions/", data={"name": here.get().username})

    wait_until(lambda: not here.exists(), what="the account is erased")


def test_a_provider_that_is_silent_holds_up_nobody_else(new_site: Callable[..., Site]) -> None:
    clicks = 12
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(clicks) as threads:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        site = new_site(OIDC_SERVER_URL=address, OIDC_CLIENT_ID="x", OIDC_CLIENT_SECRET="y")
        url = f"{site.url}/accounts/oidc/"
        clicked = [threads.submit(httpx.get, url, timeout=60) for _ in range(clicks)]
        wait_until(lambda: any(one.done() for one in clicked), what="those too many are refused")
        for _ in range(clicks):
            assert httpx.get(f"{site.url}/accounts/login/", timeout=2).status_code == 200
        # All the while the others wait for it.
        assert not all(one.done() for one in clicked)
    assert {one.result().status_code for one in clicked} == {403}
