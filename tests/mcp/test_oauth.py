"""Servers that want an authorisation: the whole way through the site, and who may not go it."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.utils import timezone

from chat.models import AuthorisationRequest, MCPAuthorisation, MCPServer
from chat.runs.servers import tokens_of
from tests.people import Person
from tests.servers.oauth_server import OAuthServer
from tests.servers.site import Site
from tests.sse import Frame, ask

WHOAMI = "[[call whoami {}]][[then]][[text Done.]]"
SLUG = "guarded"
PAGE = f"/tools/{SLUG}/authorisation/"
ADMIN_PAGE = f"/admin/chat/mcpauthorisation/servers/{SLUG}/"
CALLBACK = "/oauth/mcp/callback"


@pytest.fixture
def authority() -> Iterator[OAuthServer]:
    with OAuthServer() as running:
        yield running


@contextmanager
def served(authority: OAuthServer, kind: str) -> Iterator[MCPServer]:
    server = MCPServer.objects.create(
        name="Guarded tools", slug=SLUG, url=authority.mcp.url, authorisation=kind
    )
    try:
        yield server
    finally:
        server.delete()


@pytest.fixture
def personal(database: None, authority: OAuthServer) -> Iterator[MCPServer]:
    with served(authority, "personal") as server:
        yield server


@pytest.fixture
def shared(database: None, authority: OAuthServer) -> Iterator[MCPServer]:
    with served(authority, "shared") as server:
        yield server


def post(person: Person, page: str, what: str, **fields: str) -> httpx.Response:
    found = re.search(r'csrfmiddlewaretoken" value="(\w+)"', person.http.get(page).text)
    assert found, f"{page} has a form"
    return person.http.post(f"{page}{what}/", data={"csrfmiddlewaretoken": found[1], **fields})


def sent_away(person: Person, page: str = PAGE) -> str:
    """The address at which this person is to authorise the server."""
    answer = post(person, page, "requests")
    assert answer.status_code == 200, answer.text
    found = re.search(r'href="(http[^"]+/authorize[^"]+)"', answer.text)
    assert found, answer.text
    return found[1].replace("&amp;", "&")


def agreed(address: str) -> str:
    """The path and query with which the authorisation server sends the person back."""
    answer = httpx.get(address)
    assert answer.status_code == 307, answer.text
    back = urlsplit(answer.headers["location"])
    return f"{back.path}?{back.query}"


def authorise(person: Person, authority: OAuthServer, subject: str, page: str = PAGE) -> None:
    authority.subject = subject
    answer = person.http.get(agreed(sent_away(person, page)))
    assert (answer.status_code, answer.headers["location"]) == (303, page), answer.text


def results(seen: list[Frame]) -> list[str]:
    return [frame.data["result"] for frame in seen if frame.event == "tool_result"]


def notices(seen: list[Frame]) -> list[str]:
    return [frame.data["message"] for frame in seen if frame.event == "notice"]


def state(server: MCPServer) -> tuple[str, str]:
    server.refresh_from_db()
    return server.state, server.state_reason


def test_a_person_authorises_a_server_and_its_tools_act_for_them(
    alice: Person, authority: OAuthServer, personal: MCPServer
) -> None:
    before = ask(alice.api, WHOAMI)
    assert notices(before) == [
        f"The tools of Guarded tools could not be had: authorise it at {PAGE}."
    ]

    address = sent_away(alice)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert asked["redirect_uri"] == f"{alice.site.url}{CALLBACK}"
    assert asked["resource"] == authority.mcp.url
    assert asked["scope"] == "tools"
    authority.subject = "Alice there"
    back = alice.http.get(agreed(address))

    assert (back.status_code, back.headers["location"]) == (303, PAGE)
    assert "Guarded tools is authorised and acts for you." in alice.http.get(PAGE).text
    after = ask(alice.api, WHOAMI)
    assert notices(after) == []
    assert results(after) == ["You are Alice there."]


def test_a_connection_of_one_person_is_used_for_nobody_else(
    alice: Person, bob: Person, authority: OAuthServer, personal: MCPServer
) -> None:
    authorise(alice, authority, "Alice there")
    assert results(ask(alice.api, WHOAMI)) == ["You are Alice there."]

    bobs = ask(bob.api, WHOAMI)
    assert notices(bobs) == [
        f"The tools of Guarded tools could not be had: authorise it at {PAGE}."
    ]
    assert authority.mcp.served == ["Alice there"]
    authorise(bob, authority, "Bob there")

    assert results(ask(bob.api, WHOAMI)) == ["You are Bob there."]
    assert results(ask(alice.api, WHOAMI)) == ["You are Alice there."]
    assert len(authority.clients) == 1, "the site registers once for all"


def test_an_admin_authorises_a_server_for_everybody(
    alice: Person, carol: Person, authority: OAuthServer, shared: MCPServer
) -> None:
    assert "an admin has to authorise it" in notices(ask(alice.api, WHOAMI))[0]
    assert alice.http.get(PAGE).status_code == 404
    assert alice.http.get(ADMIN_PAGE).status_code == 302

    authorise(carol, authority, "The company", ADMIN_PAGE)

    assert "is authorised and acts for everybody" in carol.http.get(ADMIN_PAGE).text
    assert results(ask(alice.api, WHOAMI)) == ["You are The company."]
    listed = carol.http.get("/admin/chat/mcpauthorisation/").text
    assert "Guarded tools" in listed
    assert "everybody" in listed


def test_an_answer_counts_once_and_only_for_who_was_sent_away(
    alice: Person, bob: Person, authority: OAuthServer, personal: MCPServer
) -> None:
    authority.subject = "Alice there"
    back = agreed(sent_away(alice))

    assert bob.http.get(back).status_code == 400
    assert not MCPAuthorisation.objects.filter(server=personal).exists()
    assert alice.http.get(back).status_code == 303
    assert alice.http.get(back).status_code == 400
    kept = MCPAuthorisation.objects.filter(server=personal)
    assert [row.user_id for row in kept] == [alice.user.pk]


def test_an_answer_must_be_complete_in_time_and_of_the_server_that_was_asked(
    alice: Person, authority: OAuthServer, personal: MCPServer
) -> None:
    def answer(change: Callable[[str], str]) -> str:
        back = alice.http.get(change(agreed(sent_away(alice))))
        return f"{back.status_code} {alice.http.get(PAGE).text}"

    assert "another authorisation server" in answer(lambda b: re.sub("iss=[^&]+", "iss=evil", b))
    assert "another authorisation server" in answer(lambda b: re.sub("&iss=[^&]+", "", b))
    assert "access_denied" in answer(lambda b: re.sub("code=[^&]+", "error=access_denied", b))
    assert "refused (invalid_grant)" in answer(lambda b: re.sub("code=[^&]+", "code=guess", b))
    assert answer(lambda b: re.sub("state=[^&]+", "state=guess", b)).startswith("400")
    back = agreed(sent_away(alice))
    AuthorisationRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert alice.http.get(back).status_code == 400
    assert not MCPAuthorisation.objects.filter(server=personal).exists()


def test_nobody_asks_without_end(
    alice: Person, authority: OAuthServer, personal: MCPServer
) -> None:
    for _ in range(10):
        sent_away(alice)

    refused = post(alice, PAGE, "requests")

    assert refused.status_code == 502
    assert "asked for this often" in refused.text


def test_an_expired_token_is_refreshed_unnoticed(
    alice: Person, authority: OAuthServer, personal: MCPServer
) -> None:
    authorise(alice, authority, "Alice there")
    ask(alice.api, WHOAMI)

    authority.expire()

    seen = ask(alice.api, WHOAMI)
    assert (notices(seen), results(seen)) == ([], ["You are Alice there."])
    assert authority.refreshes == 1
    assert not authority.reused


def test_two_processes_refresh_once_and_share_what_it_brought(
    alice: Person,
    authority: OAuthServer,
    personal: MCPServer,
    new_site: Callable[..., Site],
) -> None:
    other = httpx.Client(base_url=new_site().url, headers=alice.headers, timeout=30)
    authorise(alice, authority, "Alice there")
    with other:
        assert results(ask(alice.api, WHOAMI)) == results(ask(other, WHOAMI))
        authority.expire()

        assert results(ask(alice.api, WHOAMI)) == ["You are Alice there."]
        assert results(ask(other, WHOAMI)) == ["You are Alice there."]

    assert authority.refreshes == 1
    assert not authority.reused


async def test_many_at_once_refresh_once(
    alice: Person, authority: OAuthServer, personal: MCPServer
) -> None:
    await asyncio.to_thread(authorise, alice, authority, "Alice there")
    tokens = await asyncio.to_thread(tokens_of, personal, alice.user.pk)
    old = await tokens.current()
    authority.delay_seconds = 0.3

    # Waited for by nobody after a moment; what it brings is kept all the same.
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(tokens.renewed(old), 0.1)
    new = await asyncio.gather(*(tokens.renewed(old) for _ in range(8)))

    assert len(set(new)) == 1
    assert new[0] != old
    assert await tokens.current() == new[0]
    assert authority.refreshes == 1


def test_a_refused_refresh_needs_a_new_authorisation_and_is_not_repeated(
    alice: Person, carol: Person, authority: OAuthServer, shared: MCPServer
) -> None:
    authorise(carol, authority, "The company", ADMIN_PAGE)
    ask(alice.api, WHOAMI)
    authority.expire()
    authority.refuses = True

    ask(alice.api, WHOAMI)
    seen = ask(alice.api, WHOAMI)

    reason = "its authorisation has ended: an admin has to authorise it"
    assert notices(seen) == [f"The tools of Guarded tools could not be had: {reason}."]
    assert state(shared) == ("unauthorised", reason)
    assert authority.refreshes == 1
    assert "not accepted any more" in carol.http.get(ADMIN_PAGE).text
    authority.refuses = False
    authorise(carol, authority, "The company", ADMIN_PAGE)
    assert results(ask(alice.api, WHOAMI)) == ["You are The company."]


def test_what_is_secret_is_nowhere_in_the_database(
    alice: Person, authority: OAuthServer, personal: MCPServer
) -> None:
    authorise(alice, authority, "Alice there")
    ask(alice.api, WHOAMI)
    authority.expire()
    ask(alice.api, WHOAMI)
    sent_away(alice)

    with connection.cursor() as cursor:
        stored = ""
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            stored += json.dumps(cursor.fetchall(), default=str)

    assert str(personal.pk.hex) in stored.replace("-", "")
    assert len(authority.secrets()) >= 4
    assert [secret for secret in authority.secrets() if secret in stored] == []


def test_another_key_is_a_state_and_no_crash(
    alice: Person, authority: OAuthServer, personal: MCPServer, new_site: Callable[..., Site]
) -> None:
    authorise(alice, authority, "Alice there")
    other = new_site(MCP_TOKEN_KEY="another key, just as long as it has to be")

    with httpx.Client(base_url=other.url, headers=alice.headers, timeout=30) as http:
        seen = ask(http, WHOAMI)

    assert "kept with another MCP_TOKEN_KEY: authorise it at" in notices(seen)[0]
    assert seen[-1].event == "done"


def test_tokens_are_not_sent_to_a_server_that_took_the_place_of_theirs(
    alice: Person, authority: OAuthServer, personal: MCPServer
) -> None:
    authorise(alice, authority, "Alice there")
    with OAuthServer() as thief:
        MCPServer.objects.filter(pk=personal.pk).update(url=thief.mcp.url)
        seen = ask(alice.api, WHOAMI)

        assert "it was authorised at another address" in notices(seen)[0]
        assert [head for head in thief.mcp.headers if "authorization" in head] == []


def test_a_server_that_is_kept_to_a_group_is_not_there_for_others(
    alice: Person, bob: Person, personal: MCPServer
) -> None:
    group = Group.objects.create(name=f"friends of {alice.username}")
    group.user_set.add(alice.user)
    personal.groups.add(group)

    assert alice.http.get(PAGE).status_code == 200
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', bob.http.get("/").text)
    form = {"csrfmiddlewaretoken": token[1] if token else ""}
    answers = [bob.http.get(PAGE)]
    answers += [bob.http.post(f"{PAGE}{what}/", data=form) for what in ("requests", "revocations")]
    assert [answer.status_code for answer in answers] == [404, 404, 404]


def test_a_revoked_authorisation_is_not_used_any_more(
    alice: Person, authority: OAuthServer, personal: MCPServer
) -> None:
    authorise(alice, authority, "Alice there")
    ask(alice.api, WHOAMI)

    assert post(alice, PAGE, "revocations").status_code == 303

    assert "does not act for you any more" in alice.http.get(PAGE).text
    assert notices(ask(alice.api, WHOAMI))
    assert authority.mcp.served == ["Alice there"]


def test_where_nobody_can_register_an_admin_enters_the_client(
    alice: Person, carol: Person, authority: OAuthServer, personal: MCPServer
) -> None:
    authority.takes_registrations = False
    refused = post(alice, PAGE, "requests")
    assert refused.status_code == 502
    assert "takes no registrations" in refused.text

    client_id, secret = authority.by_hand
    kept = post(carol, ADMIN_PAGE, "clients", client_id=client_id, client_secret=secret)

    assert kept.status_code == 302
    personal.refresh_from_db()
    assert secret not in personal.oauth_client_secret
    assert secret not in carol.http.get(ADMIN_PAGE).text
    authorise(alice, authority, "Alice there")
    assert results(ask(alice.api, WHOAMI)) == ["You are Alice there."]


@pytest.mark.parametrize(
    "address",
    ["http://169.254.169.254/latest/meta-data/", "http://[fe80::1]/", "http://2852039166/"],
)
def test_a_hostile_metadata_address_is_not_asked(
    alice: Person, authority: OAuthServer, personal: MCPServer, address: str
) -> None:
    authority.metadata_address = address

    refused = post(alice, PAGE, "requests")

    assert refused.status_code == 502
    assert "leads to where no server may be" in refused.text
    assert authority.clients == {}


def test_what_a_configured_server_names_may_not_be_private(
    authority: OAuthServer, new_site: Callable[..., Site]
) -> None:
    """The server itself may be: the deployment named it. Its authorisation server was not."""
    site = new_site(MCP_SERVER_URL=authority.mcp.url, MCP_ALLOW_PRIVATE_NETWORKS="false")
    with Person("dora", site) as dora:
        rows = MCPServer.objects.filter(source="environment")
        before = dict(rows.values("authorisation", "slug", "url")[0])
        rows.update(authorisation="personal")
        try:
            page = f"/tools/{before['slug']}/authorisation/"
            refused = post(dora, page, "requests")
        finally:
            rows.update(**before)

    assert refused.status_code == 502
    assert "leads to a private network" in refused.text
    assert authority.clients == {}
