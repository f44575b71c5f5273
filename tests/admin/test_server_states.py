"""MCP servers in the admin: how they are, and what a check says of one."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.models import AgentRun, MCPServer, ToolRun
from tests.admin.steps import SERVERS, Desk, definition, post
from tests.people import Person
from tests.servers.bare_mcp_server import BareMCPServer
from tests.servers.mcp_server import ScriptedMCPServer, closed_port
from tests.sse import ask, wait_until

OK = definition("ok")
AddServer = Callable[..., MCPServer]
REFUSED = re.compile(r'(?s)<span class="state bad">Down</span>.*the connection was refused')


def rows_of(page: str) -> dict[str, str]:
    """The rows of a list as plain text, by the name that comes first."""
    rows = re.findall(r"(?s)<tr>\s*<th(?: scope=\"row\")? class=\"field-name.*?</tr>", page)
    texts = [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in rows]
    return {text.split()[0]: text for text in texts}


def states(rows: dict[str, MCPServer]) -> list[str]:
    """As last seen, in the same order."""
    return [MCPServer.objects.get(pk=row.pk).state for row in rows.values()]


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
