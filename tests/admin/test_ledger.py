"""The ledger when it is long: pages by place, plans without scans, exports that are on record."""

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.models import AgentRun, Conversation, StaffAccess, ToolRun, ToolRunExport
from tests.bench.ledger_rows import fill
from tests.people import Person
from tests.servers.site import Site
from tests.sse import ask, wait_until

LIST = "/admin/chat/toolrun/"
EXPORTS = f"{LIST}exports/"
ROWS = 50_000
PAGES = (
    *("", "outcome=timeout", "tool=tool_0", "tool=tool_60", "server=server-1", "person=person-0"),
    *("over_ms=1000", "over_ms=60000", "since=7d", "until=2100-01-01", "approval=denied"),
    *("outcome=tool_error&tool=tool_0", "person=person-0&tool=tool_0&outcome=ok"),
    *("server=server-7&outcome=lost", "q=harbour", "q=looks&outcome=timeout", "q=call_77"),
)


class UndoneError(Exception):
    """Takes back what a test filled in."""


@pytest.fixture
def long_ledger(site: Site) -> Iterator[Client]:
    """An admin's browser, in this process: so many rows are there for its transaction alone."""
    try:
        with transaction.atomic():
            fill(ROWS)
            with connection.cursor() as cursor:
                if connection.vendor == "postgresql":
                    cursor.execute("ANALYZE")
            client = Client(SERVER_NAME="localhost")
            client.force_login(User.objects.create(username="c", is_staff=True, is_superuser=True))
            yield client
            raise UndoneError
    except UndoneError:
        pass


def test_no_page_of_a_long_ledger_goes_through_all_of_it(long_ledger: Client) -> None:
    # The days of the chart are counted, and kept.
    long_ledger.get(LIST)

    for page in PAGES:
        with CaptureQueriesContext(connection) as seen:
            answer = long_ledger.get(f"{LIST}?{page}")

        assert answer.status_code == 200
        assert "/change/" in answer.text, page
        # A search asks once for each tool that it means.
        assert len(seen) < (60 if "q=" in page else 15), page
        for query in seen.captured_queries:
            assert not scans(query["sql"]), (page, query["sql"])


def scans(sql: str) -> bool:
    """Whether the database would read the whole table, or all of an index."""
    # PostgreSQL counts in an index alone only what was vacuumed, and these rows cannot be.
    is_count = connection.vendor == "postgresql" and sql.startswith("SELECT COUNT(")
    if "chat_toolrun" not in sql or not sql.startswith(("SELECT", "WITH")) or is_count:
        return False
    with connection.cursor() as cursor:
        is_sqlite = connection.vendor == "sqlite"
        cursor.execute(("EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN ") + sql)
        plan = "\n".join(str(row[-1]) for row in cursor.fetchall())
    if re.search(r"SCAN chat_toolrun(?! USING)|Seq Scan on chat_toolrun", plan):
        return True
    return "SCAN chat_toolrun" in plan and "LIMIT" not in sql


def stored(person: Person, count: int, **values: Any) -> list[ToolRun]:
    """Calls of one answer, most of them at the same moment."""
    ask(person.api, "[[text hello]]")
    run = AgentRun.objects.get(owner=person.user)
    now = timezone.now()
    rows = [
        ToolRun(
            **{"run": run, "owner": person.user, "call_id": f"{run.pk}-{number}", "tool": "noted"}
            | {"iteration": 1, "state": "ok", "result": "fine", "arguments": {"n": number}}
            | {"created_at": now - timedelta(seconds=number // 70)}
            | values
        )
        for number in range(count)
    ]
    return ToolRun.objects.bulk_create(rows)


def test_pages_leave_out_nothing_and_repeat_nothing(alice: Person, carol: Person) -> None:
    rows = stored(alice, 173)
    links = {"next": f"?person={alice.username}", "prev": ""}
    pages: list[list[str]] = []

    while links.get("next"):
        text = carol.http.get(LIST + links["next"]).text
        pages.append(re.findall(r'toolrun/([0-9a-f-]{36})/change/[^"]*">\d', text))
        links = dict(reversed(link) for link in re.findall(r'<a href="([^"]*)" rel="(\w+)"', text))
        links = {name: link.replace("&amp;", "&") for name, link in links.items()}
    back = carol.http.get(LIST + links["prev"]).text

    assert list(map(len, pages)) == [50, 50, 50, 23]
    shown = [pk for page in pages for pk in page]
    newest_first = sorted(rows, key=lambda row: (row.created_at, row.pk), reverse=True)
    assert shown == [str(row.pk) for row in newest_first]
    assert re.findall(r'toolrun/([0-9a-f-]{36})/change/[^"]*">\d', back) == pages[-2]
    assert "173 tool runs" in back
    assert 'rel="next"' in back


def test_words_find_the_tool_its_title_and_the_chat(alice: Person, carol: Person) -> None:
    (row,) = stored(alice, 1, tool="weigh_cargo", title="Scales of the harbour")
    Conversation.objects.filter(runs=row.run).update(title="A ferry called Zephyrine")

    def finds(words: str) -> bool:
        page = carol.http.get(LIST, params={"q": words, "person": alice.username}).text
        return f"{row.pk}/change/" in page

    assert all(map(finds, ("weigh", "cargo weigh", "scal", '"the harbour"', "zephyr", "FERRY a")))
    assert not any(map(finds, ("eigh", "cargo lost", '"harbour the"', "scales ferry", "%", '"')))


def token(person: Person) -> str:
    found = re.search(r'csrfmiddlewaretoken" value="(\w+)"', person.http.get("/account/").text)
    return found[1] if found else ""


def exported(person: Person, kind: str, /, **filters: str) -> Any:
    form = {"csrfmiddlewaretoken": token(person), "format": kind}
    headers = {"Referer": person.site.url}
    return person.http.post(EXPORTS, params=filters, data=form, headers=headers)


def test_an_export_has_what_the_list_has_and_is_on_record(alice: Person, carol: Person) -> None:
    rows = stored(alice, 3, result="=HYPERLINK(1)", tool="+noted", title="-1\n@x")
    filters = {"person": alice.username, "tool": "+noted"}

    answer = exported(carol, "csv", **filters)
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    whole = [json.loads(line) for line in exported(carol, "jsonl", **filters).text.splitlines()]

    assert "content-length" not in answer.headers
    assert answer.headers["content-disposition"].endswith('.csv"')
    assert [line["id"] for line in lines] == [line["id"] for line in whole]
    assert {line["id"] for line in lines} == {str(row.pk) for row in rows}
    cells = [value for line in lines for value in line.values()]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)
    assert lines[0]["result"] == "'=HYPERLINK(1)"
    assert whole[0]["result"] == "=HYPERLINK(1)"
    assert json.loads(lines[0]["arguments"]) == whole[0]["arguments"]
    assert whole[0]["person"] == alice.username
    made = ToolRunExport.objects.filter(person=carol.user)
    assert {(each.format, each.rows) for each in made} == {("csv", 3), ("jsonl", 3)}
    assert all(each.finished_at for each in made)
    assert alice.username in made[0].filters
    assert alice.username in carol.http.get("/admin/chat/toolrunexport/").text
    noted = StaffAccess.objects.filter(owner=alice.user, reader=carol.user, what="export")
    assert set(noted.values_list("about", flat=True)) == {"3"}


def test_no_cell_of_an_export_is_a_formula(alice: Person, carol: Person) -> None:
    written = [f"{begin}1+1" for begin in ("=", "+", "-", "@", "\t", "\r", "\n")]
    for row, text in zip(stored(alice, len(written)), written, strict=True):
        ToolRun.objects.filter(pk=row.pk).update(result=text)

    answer = exported(carol, "csv", person=alice.username)
    lines = csv.DictReader(io.StringIO(answer.text, newline=""))

    assert sorted(line["result"] for line in lines) == sorted(f"'{text}" for text in written)


def test_an_export_that_is_broken_off_is_on_record_too(alice: Person, carol: Person) -> None:
    stored(alice, 3000, result="x" * 20_000)
    form = {"csrfmiddlewaretoken": token(carol), "format": "jsonl"}
    headers = {"Referer": carol.site.url}

    with carol.http.stream(
        "POST", EXPORTS, params={"person": alice.username}, data=form, headers=headers
    ) as answer:
        next(answer.iter_bytes())
    made = ToolRunExport.objects.get(person=carol.user)

    def rows() -> int:
        made.refresh_from_db()
        return made.rows

    assert 0 < wait_until(rows, what="how far it came is on record") < 3000
    assert made.finished_at is None


def test_who_may_not_export_does_not(alice: Person, carol: Person, site: Site) -> None:
    stored(alice, 1)
    with Person("dan", site) as dan:
        User.objects.filter(pk=dan.user.pk).update(is_staff=True)
        dan.user.user_permissions.add(Permission.objects.get(codename="view_toolrun"))

        assert exported(dan, "csv").status_code == 403
        page = dan.http.get(LIST, params={"person": alice.username}).text
    assert "/change/" in page
    assert EXPORTS not in page
    assert exported(alice, "csv").status_code in {302, 403}
    assert carol.http.get(EXPORTS).status_code == 403
    assert exported(carol, "xlsx").status_code == 400


def test_the_command_exports_the_same(alice: Person) -> None:
    rows = stored(alice, 2)
    text = io.StringIO()

    options = {"since": "1h", "person": alice.username, "stdout": text, "stderr": io.StringIO()}
    call_command("export_tool_runs", **options)

    lines = [json.loads(line) for line in text.getvalue().splitlines()]
    assert {line["id"] for line in lines} == {str(row.pk) for row in rows}
    made = ToolRunExport.objects.latest("pk")
    assert made.made_by.endswith("(console)")
    assert (made.rows, made.person) == (2, None)
    assert f"person={alice.username}" in made.filters
    # The last has no moment in UTC, where no year 10000 is.
    for since in ("yesterday", "9999-12-31T23:59:59-05:00"):
        with pytest.raises(CommandError, match="since: A day as in"):
            call_command("export_tool_runs", since=since)
