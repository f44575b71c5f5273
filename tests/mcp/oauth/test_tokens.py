"""The tokens of an authorisation: renewed once, readable by nobody, sent to nobody else."""

import asyncio
import json
from collections.abc import Callable

import httpx
import pytest
from django.db import connection

from chat.models import MCPServer
from chat.runs.tools.servers import tokens_of
from tests.mcp.oauth.steps import (
    ADMIN_PAGE,
    PAGE,
    WHOAMI,
    authorise,
    notices,
    post,
    results,
    sent_away,
    state,
)
from tests.people import Person
from tests.servers.oauth_server import OAuthServer
from tests.servers.site import Site
from tests.sse import ask


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


def test_a_revoked_authorisation_is_not_used_any_more(
    alice: Person, authority: OAuthServer, personal: MCPServer
) -> None:
    authorise(alice, authority, "Alice there")
    ask(alice.api, WHOAMI)

    assert post(alice, PAGE, "revocations").status_code == 303

    assert "does not act for you any more" in alice.http.get(PAGE).text
    assert notices(ask(alice.api, WHOAMI))
    assert authority.mcp.served == ["Alice there"]
