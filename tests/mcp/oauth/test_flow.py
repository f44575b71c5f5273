"""Authorising a server: the whole way through the site, and who may not go it."""

import re
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from chat.models import AuthorisationRequest, MCPAuthorisation, MCPServer
from tests.mcp.oauth.steps import (
    ADMIN_PAGE,
    CALLBACK,
    PAGE,
    PING,
    WHOAMI,
    agreed,
    authorise,
    notices,
    post,
    results,
    sent_away,
)
from tests.people import Person
from tests.servers.mcp_server import ScriptedMCPServer
from tests.servers.oauth_server import OAuthServer
from tests.servers.sdk_oauth_server import SDKOAuthServer
from tests.servers.site import Site
from tests.sse import ask


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


def test_the_sdk_s_own_authorisation_server_agrees(
    alice: Person, authority: OAuthServer, personal: MCPServer
) -> None:
    with SDKOAuthServer() as server:
        MCPServer.objects.filter(pk=personal.pk).update(url=server.url)
        assert alice.http.get(agreed(sent_away(alice))).status_code == 303
        assert results(ask(alice.api, PING)) == ["pong"]
        first = server.provider.access.popitem()

        seen = ask(alice.api, PING)
        assert (notices(seen), results(seen)) == ([], ["pong"])
        assert len(server.provider.access) == 1
        assert first not in server.provider.access.items()


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


@pytest.mark.parametrize(
    "address",
    [
        *("http://127.0.0.1:99999/", "http://127.0.0.1:x/", "http://[::1/", "http://\xff/", "\xff"),
        *("/resource", "ftp://127.0.0.1/", "http://", "http://a" + 70 * "a", "data:,{}", "//x y"),
        *(
            "http://127.0.0.1:0/",
            "http://127.0.0.1:-1/",
            "http://xn--/",
            "http://a..b/",
            "http://\xad/",
        ),
    ],
)
def test_an_odd_metadata_address_is_a_sentence(
    alice: Person, authority: OAuthServer, personal: MCPServer, address: str
) -> None:
    authority.metadata_address = address

    refused = post(alice, PAGE, "requests")

    assert refused.status_code == 502, refused.text
    assert authority.clients == {}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"page": "http://accounts.example@127.0.0.1/authorize"}, "page is not valid"),
        ({"page": "javascript:alert(1)"}, "does not say where"),
        ({"proofs": ["plain"]}, "does not know PKCE"),
        ({"issuer": "http://somebody.example"}, "somebody.example"),
    ],
)
def test_what_is_said_of_the_way_is_not_believed(
    alice: Person,
    authority: OAuthServer,
    personal: MCPServer,
    values: dict[str, object],
    sentence: str,
) -> None:
    for name, value in values.items():
        setattr(authority, name, value)

    refused = post(alice, PAGE, "requests")

    assert refused.status_code == 502
    assert sentence in refused.text
    assert authority.clients == {}


def test_what_a_configured_server_names_may_not_be_private(
    authority: OAuthServer, mcp_server: ScriptedMCPServer, new_site: Callable[..., Site]
) -> None:
    """The server itself may be: the deployment named it. Its authorisation server was not."""
    site = new_site(MCP_SERVER_URL=authority.mcp.url, MCP_ALLOW_PRIVATE_NETWORKS="false")
    rows = MCPServer.objects.filter(source="environment")
    rows.update(authorisation="personal")
    try:
        with Person("dora", site) as dora:
            refused = post(dora, f"/tools/{rows.get().slug}/authorisation/", "requests")
    finally:
        # As the other processes on this database want it.
        rows.update(authorisation="none", url=mcp_server.url)

    assert refused.status_code == 502
    assert "leads to a private network" in refused.text
    assert authority.clients == {}
