"""MCP servers in the admin: what may be entered."""

import os
import re

import pytest
from django.contrib.auth.models import Group, Permission

from chat.models import MCPServer
from tests.admin.steps import SERVERS, Desk, csrf_token, definition, outcomes, post
from tests.people import Person
from tests.sse import ask

OK = definition("ok")


def entered(row: MCPServer, **values: object) -> dict[str, object]:
    fields = {"name": row.name, "slug": row.slug, "address": row.url}
    fields |= {"is_enabled": "on", "is_trusted": "on"}
    rest = {"header_lines": "", "timeout_seconds": "", "authorisation": "none"}
    return fields | rest | values


def test_headers_name_variables_of_the_site_and_only_the_server_is_told_their_values(
    carol: Person, desk: Desk
) -> None:
    lines = "X-Place: at ${HOME}\r\nAuthorization: Bearer ${PATH}"

    answer = post(carol, desk.page, **entered(desk.row, header_lines=lines))

    assert answer.status_code == 302
    stored = MCPServer.objects.get(pk=desk.row.pk).headers
    assert stored == {"X-Place": "at ${HOME}", "Authorization": "Bearer ${PATH}"}
    assert "X-Place: at ${HOME}" in carol.http.get(desk.page).text
    MCPServer.objects.get(pk=desk.row.pk).groups.set(desk.alice.user.groups.all())
    desk.offer(OK)
    assert desk.server.headers[-1]["x-place"] == f"at {os.environ['HOME']}"


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("Authorization: Bearer ${NO_SUCH_TOKEN}", "NO_SUCH_TOKEN is not set"),
        ("X-Key: ${SECRET_KEY}", "SECRET_KEY is a secret of this site and is never sent"),
        ("X-Key: ${LLM_API_KEY}", "LLM_API_KEY is a secret of this site and is never sent"),
        ("X-Key: ${A-B}", "with letters, digits and _ only"),
        ("X-Key: ${HOME", "with letters, digits and _ only"),
        ("no colon", "Enter each header on a line of its own"),
        ("X Key: a", "Enter each header on a line of its own"),
        (": a", "Enter each header on a line of its own"),
        ("Ключ: a", "Enter each header on a line of its own"),
        ("X-Key:", "The value of X-Key is empty, too long or not plain ASCII"),
        ("X-Key: a\rX-Other: b", "The value of X-Key is empty, too long or not plain ASCII"),
        ("X-Key: käse", "The value of X-Key is empty, too long or not plain ASCII"),
        ("X-Key: " + "a" * 5_000, "The value of X-Key is empty, too long or not plain ASCII"),
        ("Host: inner.example", "Host is set by the connection itself"),
        ("content-length: 5", "content-length is set by the connection itself"),
        ("Mcp-Session-Id: 1", "Mcp-Session-Id is set by the connection itself"),
        ("X-A: 1\nx-a: 2", "The header x-a is there twice"),
        ("\n".join(f"X-{number}: 1" for number in range(21)), "Enter 20 headers at most"),
    ],
)
def test_headers_that_cannot_be_sent_are_refused_in_a_sentence(
    carol: Person, desk: Desk, lines: str, sentence: str
) -> None:
    answer = post(carol, desk.page, **entered(desk.row, header_lines=lines))

    assert answer.status_code == 200
    assert sentence in answer.text
    assert MCPServer.objects.get(pk=desk.row.pk).headers == {}


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("timeout_seconds", "0", "Enter 1 to 600 seconds, or nothing."),
        ("timeout_seconds", "601", "Enter 1 to 600 seconds, or nothing."),
        ("address", "https://me:secret@tools.example/mcp", "Enter a name and password as a header"),
    ],
)
def test_other_nonsense_is_refused_in_a_sentence(
    carol: Person, desk: Desk, field: str, value: str, sentence: str
) -> None:
    answer = post(carol, desk.page, **entered(desk.row, **{field: value}))

    assert answer.status_code == 200
    assert sentence in answer.text


def test_a_server_may_be_kept_to_groups(carol: Person, desk: Desk) -> None:
    desk.offer(OK)
    group = Group.objects.create(name=f"for {desk.row.slug}")

    post(carol, desk.page, **entered(desk.row, groups=str(group.pk), timeout_seconds="7"))

    row = MCPServer.objects.get(pk=desk.row.pk)
    assert (list(row.groups.all()), row.timeout_seconds) == ([group], 7)
    seen = ask(desk.alice.api, "[[call ok {}]][[then]][[text done]]")
    assert outcomes(seen) == ["blocked"]
    group.delete()


def test_what_the_deployment_configured_is_only_switched_and_kept_to_groups(
    carol: Person, alice: Person
) -> None:
    ask(alice.api, "[[text hello]]")
    row = MCPServer.objects.get(source=MCPServer.Source.ENVIRONMENT)
    page = f"{SERVERS}{row.pk}/change/"

    shown = carol.http.get(page).text
    post(carol, page, **entered(row, name="Forged", address="http://evil/", header_lines="A: b"))

    after = MCPServer.objects.get(pk=row.pk)
    assert (after.name, after.url, after.headers) == (row.name, row.url, {})
    names = set(re.findall(r'<(?:input|textarea|select)[^>]* name="([^"]+)"', shown))
    assert names & set(entered(row)) == {"is_enabled", "is_trusted", "authorisation"}
    assert carol.http.get(f"{SERVERS}{row.pk}/delete/").status_code == 403


def test_those_who_may_only_look_see_no_headers(desk: Desk, bob: Person) -> None:
    MCPServer.objects.filter(pk=desk.row.pk).update(headers={"X-Key": "canary-5e1"})
    bob.user.is_staff = True
    bob.user.save()
    bob.user.user_permissions.add(Permission.objects.get(codename="view_mcpserver"))

    page = bob.http.get(desk.page).text

    assert desk.row.url in page
    assert "canary-5e1" not in page
    assert "Check now" not in page
    token = csrf_token(bob, desk.page)
    checks = f"{SERVERS}{desk.row.pk}/checks/"
    headers = {"Referer": bob.site.url}
    answer = bob.http.post(checks, data={"csrfmiddlewaretoken": token}, headers=headers)
    assert answer.status_code == 403
    assert desk.server.methods == []


def test_a_server_that_wants_oauth_leads_to_its_authorisation(carol: Person, desk: Desk) -> None:
    link = f"/servers/{desk.row.slug}/"
    before = carol.http.get(desk.page).text

    post(carol, desk.page, **entered(desk.row, authorisation="shared"))

    assert link not in before
    assert link in carol.http.get(desk.page).text


def test_a_server_goes_with_its_tools(carol: Person, desk: Desk) -> None:
    desk.offer(OK)

    answer = post(carol, f"{SERVERS}{desk.row.pk}/delete/", post="yes")

    assert answer.status_code == 302
    assert not MCPServer.objects.filter(pk=desk.row.pk).exists()
