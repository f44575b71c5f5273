"""Canaries in addresses and for services that are away: what fails tells where, and no password."""

import secrets
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from django.core.exceptions import ImproperlyConfigured

from chatsite.env import address, web_address
from tests.people import Person
from tests.prepared import migrate
from tests.servers.oidc_provider import OIDCProvider
from tests.servers.site import Site
from tests.sse import wait_until
from tests.start.steps import Installation

CANARY = f"canary-{secrets.token_hex(16)}"
# Nobody listens there.
AWAY = "127.0.0.1:9"
DATABASE = {"DATABASE_URL": f"postgres://ferryline:{CANARY}@{AWAY}/ferryline"}
SECRETS = {
    "REDIS_URL": f"redis://:{CANARY}@{AWAY}/0",
    "EMAIL_URL": f"smtp://ferryline:{CANARY}@{AWAY}",
    "SENTRY_DSN": f"http://{CANARY}@{AWAY}/1",
    "OIDC_CLIENT_SECRET": CANARY,
}


def form(client: httpx.Client, url: str, **fields: str) -> str:
    client.get(url)
    token = client.cookies.get("csrftoken", "")
    return client.post(url, data={**fields, "csrfmiddlewaretoken": token}).text


def test_a_database_that_is_away_costs_no_password(
    site: Site, new_site: Callable[..., Site]
) -> None:
    running = new_site(**DATABASE, LOG_FORMAT="json")

    with httpx.Client(base_url=running.url, timeout=30, cookies={"sessionid": "x" * 32}) as client:
        answers = [client.get(path) for path in ("/readyz", "/admin/")]

    assert answers[0].json()["database"] != "ok"
    assert answers[-1].status_code >= 500
    assert AWAY.split(":")[0] in running.log
    # What still waits for it holds up nobody.
    assert running.stop() == 0
    assert [CANARY in each for each in (running.log, *(it.text for it in answers))] == [False] * 3


def test_services_that_are_away_cost_no_password(
    new_site: Callable[..., Site], alice: Person, carol: Person
) -> None:
    with OIDCProvider() as provider:
        provider.is_broken = True
        running = new_site(**{**provider.environment, **SECRETS, "OIDC_NAME": "Harbour"})
        with httpx.Client(base_url=running.url, timeout=30) as client:
            said = [client.get("/readyz").text, client.get("/accounts/login/").text]
            said.append(client.get("/accounts/oidc/", follow_redirects=True).text)
            said.append(form(client, "/accounts/password/reset/", email=alice.user.email))
            said.append(form(client, "/accounts/login/", username="x", password="x"))
        cookies = {"sessionid": carol.session_cookie}
        pages = [f"{running.url}/admin/{page}" for page in ("", "health/", "chat/invitation/")]
        said += [httpx.get(page, cookies=cookies).text for page in pages]
        wait_until(lambda: "mail server" in running.log, what="the mail failed")

    assert "Harbour" in said[1]
    assert '"channel_layer": "ok"' not in said[0]
    assert not [text for text in (running.log, *said) if CANARY in text]


def test_no_command_tells_a_password(tmp_path: Path) -> None:
    here = Installation(tmp_path, **SECRETS)
    migrate(here.environment["DATABASE_URL"])
    kept = tmp_path / "backup.zip"

    made, failed = here.manage("backup", str(kept)), here.manage("migrate", **DATABASE)

    assert (made.returncode, failed.returncode) == (0, 1), made
    assert "The database is away" in failed.stderr
    assert not [each for each in (made, failed) if CANARY in each.stdout + each.stderr]
    with zipfile.ZipFile(kept) as archive:
        assert not [name for name in archive.namelist() if CANARY.encode() in archive.read(name)]


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "EMAIL_URL"])
def test_an_address_that_cannot_be_read_is_not_quoted(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for mark in ("/", "#", "?", "["):
        monkeypatch.setenv(name, f"any://u:{CANARY}{mark}x@{AWAY}/0")
        with pytest.raises(ImproperlyConfigured, match=f"{name} cannot be read") as refused:
            address(name)
        assert CANARY not in "".join(traceback.format_exception(refused.value))
    monkeypatch.setenv("SENTRY_DSN", CANARY)
    with pytest.raises(ImproperlyConfigured) as refused:
        web_address("SENTRY_DSN")
    assert CANARY not in str(refused.value)
