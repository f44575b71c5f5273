"""MCP servers in the admin: what may be entered, and how they are."""

import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.models import AgentRun, MCPServer, ToolRun
from tests.admin.steps import SERVERS, Desk, csrf_token, definition, outcomes, post
from tests.people import Person
from tests.servers.bare_mcp_server import BareMCPServer
from tests.servers.mcp_server import ScriptedMCPServer, closed_port
from tests.sse import ask, wait_until

OK = definition("ok")
AddServer = Callable[..., MCPServer]


def entered(row: MCPServer, **values: object) -> dict[str, object]:
    fields = {"name": row.name, "slug": row.slug, "address": row.url}
    fields |= {"is_enabled": "on", "is_trusted": "on"}
    rest = {"header_lines": "", "timeout_seconds": "", "authorisation": "none"}
    return fields | rest | values


def rows_of(page: str) -> dict[str, str]:
    """The rows of a list as plain text, by the name that comes first."""
    rows = re.findall(r"(?s)<tr>\s*<th(?: scope=\"row\")? class=\"field-name.*?</tr>", page)
    texts = [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in rows]
    return {text.split()[0]: text for text in texts}


# -- what may be entered -----------------------------------------------------------------


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


# -- how they are ------------------------------------------------------------------------


def states(rows: dict[str, MCPServer]) -> list[str]:
    """As last seen, in the same order."""
    return [MCPServer.objects.get(pk=row.pk).state for row in rows.values()]


REFUSED = re.compile(r'(?s)<span class="state bad">Down</span>.*the connection was refused')


def test_of_five_servers_the_list_says_which_are_not_well_and_why(
    alice: Person, carol: Person, desk: Desk, add_server: AddServer
) -> None:
    dead = f"http://127.0.0.1:{closed_port()}/mcp"
    with (
        ScriptedMCPServer() as new,
        ScriptedMCPServer(era="2025-11-25") as old,
        BareMCPServer() as closed,
    ):
        closed.status = 401
        urls = {"newer": new.url, "older": old.url, "closed": closed.url, "dead": dead}
        rows = {slug: add_server(alice, url, slug) for slug, url in urls.items()}
        desk.offer(OK)
        desk.offer(definition("ok", description="Something else."))
        wait_until(lambda: states(rows) == ["ready", "ready", "unauthorised", "down"])
        shown = rows_of(carol.http.get(SERVERS).text)
        # Now and then it is being tried again.
        url = f"{SERVERS}{rows['dead'].pk}/change/"
        wait_until(lambda: REFUSED.search(carol.http.get(url).text), what="its page says so")

    assert re.search(r"Down the connection was refused none", shown["Dead"])
    assert "needs authorisation it refused our credentials (401)" in shown["Closed"]
    assert re.search(r"Ready 2026-07-28 \(stateless\) \d+ offered", shown["Newer"])
    assert re.search(r"Ready 2025-11-25 \(sessions\) \d+ offered", shown["Older"])
    assert "Ready 2025-11-25 (sessions) 1 changed" in shown[desk.row.name]


def test_calls_of_the_last_days_are_counted_and_timed(
    carol: Person, alice: Person, desk: Desk
) -> None:
    ask(alice.api, "[[text hello]]")
    run = AgentRun.objects.get(owner=alice.user)
    now = timezone.now()

    def called(number: int, state: str, took: int | None, days: float) -> ToolRun:
        at = now - timedelta(days=days)
        made = {"run": run, "call_id": str(number), "iteration": 1, "tool": "ok", "state": state}
        return ToolRun(**made, owner=alice.user, server=desk.row, duration_ms=took, created_at=at)

    ToolRun.objects.bulk_create(
        [called(number, "ok", number * 10, 0.1) for number in range(1, 19)]
        + [called(19, "timeout", 1_500, 6.9), called(20, "tool_error", 2_500, 1)]
        + [called(21, "cancelled", None, 1), called(22, "ok", 9_000, 7.1)]
    )

    page = carol.http.get(desk.page).text
    row = rows_of(carol.http.get(SERVERS).text)[desk.row.name]

    assert "Ok 18 · " in page
    assert "Error 1" in page
    assert "p50 100 ms · p95 1.5 s" in page
    assert "21, 2 failed p50 100 ms · p95 1.5 s" in row


def test_the_list_costs_the_same_however_many_servers_there_are(
    carol: Person, alice: Person, add_server: AddServer
) -> None:
    browser = Client(headers={"host": "localhost"})
    browser.force_login(carol.user)

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert browser.get(SERVERS).status_code == 200
        return len(captured)

    before = queries()
    for _ in range(5):
        add_server(alice, f"http://127.0.0.1:{closed_port()}/mcp", is_enabled=False)

    assert queries() == before
    # Two for the session and the person, three for the health, the rows and how many there are.
    assert before <= 7, before


# -- a check -----------------------------------------------------------------------------


def check(person: Person, row: MCPServer) -> httpx.Response:
    return post(person, f"{SERVERS}{row.pk}/change/", f"{SERVERS}{row.pk}/checks/")


def test_a_server_that_answers_is_described_and_nothing_stored(carol: Person, desk: Desk) -> None:
    hints = {"readOnlyHint": True, "openWorldHint": False}
    evil = definition("evil", description="<script>alert(1)</script>", annotations=hints)
    desk.server.definitions = [evil, definition("odd", inputSchema="nothing")]

    page = check(carol, desk.row).text

    assert '<span class="state good">It answers</span>' in page
    assert "It is bare 1 and speaks MCP 2025-11-25 (sessions)." in page
    assert re.search(r"Connected and listed its tools after \d\.\d\d s\.", page)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; · [only reads, stays inside]" in page
    assert "its definition is not valid" in page
    assert not desk.row.tools.exists()


def test_a_server_that_does_not_answer_is_a_sentence(
    carol: Person, alice: Person, add_server: AddServer
) -> None:
    row = add_server(alice, f"http://127.0.0.1:{closed_port()}/mcp", is_enabled=False)

    page = check(carol, row).text

    assert '<span class="state bad">It cannot be used</span>' in page
    assert f"{row.name} cannot be used: the connection was refused." in page


def test_a_check_needs_its_token_and_an_admin(carol: Person, bob: Person, desk: Desk) -> None:
    path = f"{SERVERS}{desk.row.pk}/checks/"

    assert carol.http.post(path).status_code == 403
    assert carol.http.get(path).headers["location"] == desk.page
    assert bob.http.get(path).status_code == 302
    assert desk.server.methods == []


def test_nobody_waits_for_a_server_that_is_checked(carol: Person, desk: Desk) -> None:
    desk.server.is_frozen = True
    with ThreadPoolExecutor() as threads:
        checking = threads.submit(check, carol, desk.row)
        wait_until(lambda: desk.server.headers)
        meanwhile = httpx.get(
            f"{carol.site.url}/admin/", cookies={"sessionid": carol.session_cookie}
        )
        is_still_waiting = not checking.done()
        desk.server.is_frozen = False
        page = checking.result(20).text

    assert meanwhile.status_code == 200
    assert is_still_waiting
    assert "It answers" in page
