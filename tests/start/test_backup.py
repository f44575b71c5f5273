"""`manage.py backup` and `restore`: all there is, made while answers are given."""

import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from zipfile import ZipFile

import httpx
import pytest

from tests.prepared import migrate
from tests.servers.mcp_server import ScriptedMCPServer
from tests.servers.media import png
from tests.servers.model_server import ScriptedModelServer
from tests.servers.postgresql import PostgreSQL
from tests.servers.programs import need
from tests.servers.site import Site
from tests.sse import ask, begin, read, wait_until
from tests.start.steps import Installation

PICTURE = "[[call picture {}]][[then]][[text A *picture*, as asked for: naïve \\u0000 😀]]"
LONG = "[[tokens 400 delay 10]]"
PICTURE_AND_MORE = "[[call picture {}]][[then]][[tokens 3000 delay 10]]"
UUID = re.compile(rb'"[0-9a-f-]{36}"')
# What Django and the journal write differently of one time: 12.550000 and 12.550, 12 and 12.000.
TIME = re.compile(r"(:\d\d(?:\.(?!000)\d{3})?)(?:\.?000){1,2}$")
# The database's own, and when migrations were applied here.
NOT_OURS = ("sqlite_", "chat_message_words", "chat_title_words", "django_migrations")


@pytest.fixture
def place(
    tmp_path: Path, model_server: ScriptedModelServer, mcp_server: ScriptedMCPServer
) -> Callable[..., Installation]:
    """Installations with a database and files of their own, and the same keys and servers."""

    def make(name: str, **environment: str) -> Installation:
        folder = tmp_path / name
        folder.mkdir()
        servers = {"LLM_BASE_URL": model_server.base_url, "MCP_SERVER_URL": mcp_server.url}
        return Installation(folder, MEDIA_DIR=f"{folder}/media", **servers, **environment)

    return make


@pytest.fixture
def postgresql() -> Iterator[str]:
    need("postgres")
    with PostgreSQL() as server:
        yield server.url


def manage(installation: Installation, *arguments: str) -> str:
    ended = installation.manage(*arguments)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_everything_moves_to_another_database_while_an_answer_is_given(
    place: Callable[..., Installation], postgresql: str, tmp_path: Path
) -> None:
    old, copy = place("old"), place("copy")
    for one in (old, copy):
        migrate(one.environment["DATABASE_URL"])
    manage(old, "setup")
    headers = {"Authorization": f"Bearer {manage(old, 'create_api_token', 'admin').strip()}"}
    with (
        Site(**old.environment) as site,
        httpx.Client(base_url=site.url, headers=headers, timeout=30) as api,
    ):
        first = ask(api, PICTURE)
        run_id = begin(api, LONG)["run_id"]
        seen = read(api, run_id, until=lambda frame: "t20 " in frame.data["content"])
        manage(old, "backup", f"{tmp_path}/running.zip")
        wait_until(lambda: sealed(old), what="the call has its place in the chain")
    manage(old, "backup", f"{tmp_path}/quiet.zip")

    new, back = place("new", DATABASE_URL=postgresql), place("back")
    refuse_what_is_not_whole(old, copy, tmp_path / "quiet.zip")
    # Migrated, and as empty as before.
    shutil.copy(database_of(copy), database_of(back))
    manage(copy, "restore", f"{tmp_path}/quiet.zip")
    assert content(copy) == content(old)
    assert files(copy) == files(old) != {}

    manage(new, "restore", f"{tmp_path}/running.zip")
    with (
        Site(**new.environment) as site,
        httpx.Client(base_url=site.url, headers=headers, timeout=30) as api,
    ):
        rest = read(api, run_id, after=seen[-1].id)
        assert [frame.id for frame in seen + rest] == list(range(1, rest[-1].id + 1))
        assert rest[-1].data["content"].endswith("t400 ")
        picture = next(frame for frame in first if frame.event == "tool_result")
        assert api.get(picture.data["attachments"][0]["url"]).content == png()
        # New rows have numbers of their own.
        under_way = [begin(api, PICTURE_AND_MORE)["run_id"] for _ in range(2)]
        for late in under_way:
            read(api, late, until=lambda frame: "t20 " in frame.data.get("content", ""))
        manage(new, "backup", f"{tmp_path}/new.zip")
        for late in under_way:
            api.post(f"/api/runs/{late}/cancellations/").raise_for_status()
    manage(new, "verify_ledger")
    manage(new, "backup", f"{tmp_path}/later.zip")
    nothing_but_running_answers_went_on(rows(tmp_path / "new.zip"), rows(tmp_path / "later.zip"))
    manage(back, "restore", f"{tmp_path}/new.zip")
    manage(back, "backup", f"{tmp_path}/back.zip")
    assert rows(tmp_path / "back.zip") == rows(tmp_path / "new.zip")
    manage(back, "verify_ledger")


def nothing_but_running_answers_went_on(taken: dict[str, bytes], later: dict[str, bytes]) -> None:
    """`taken` while two answers were given, `later` once they had been stopped."""
    gone = {name: {*taken[name].splitlines()} - {*later[name].splitlines()} for name in taken}
    runs = gone.pop("rows/chat.agentrun.jsonl")
    # Its last check of the chain.
    gone.pop("rows/chat.ledgerhead.jsonl")
    # Their calls get their seals, and their conversations move up.
    theirs = {one for run in runs for one in UUID.findall(run)}
    changed = [row for rows in gone.values() for row in rows]

    assert [b'"running"' in run for run in runs] == [True, True]
    assert [row for row in changed if theirs.isdisjoint(UUID.findall(row))] == []
    assert len(later["rows/chat.runevent.jsonl"]) > len(taken["rows/chat.runevent.jsonl"])


def refuse_what_is_not_whole(old: Installation, empty: Installation, whole: Path) -> None:
    cut, other = whole.with_name("cut.zip"), whole.with_name("other.zip")
    cut.write_bytes(whole.read_bytes()[:-2000])
    with ZipFile(whole) as archive, ZipFile(other, "w") as changed:
        for name in archive.namelist():
            changed.writestr(name, b"" if name == "rows/auth.user.jsonl" else archive.read(name))
    for installation, path, reason in (
        (old, whole, "accounts"),
        (empty, cut, "cannot be restored"),
        (empty, other, "auth.user is not complete"),
        *((empty, path, "cannot be restored, it is damaged: ") for path in damaged(whole)),
    ):
        ended = installation.manage("restore", f"{path}")
        assert (ended.returncode, reason in ended.stderr) == (1, True), ended.stderr
    assert whole.stat().st_mode & 0o777 == 0o600


def damaged(whole: Path) -> list[Path]:
    """Its words overwritten, by a program nobody has, and with another manifest."""
    data = whole.read_bytes()
    at = data.index(b"rows/chat.message.jsonl") + 100
    overwritten, odd, other = (whole.with_name(f"damaged-{number}.zip") for number in range(3))
    overwritten.write_bytes(data[:at] + b"\xff" * 50 + data[at + 50 :])
    # The way in which a member is compressed; in the directory at the end.
    method = data.rindex(b"PK\x01\x02") + 10
    odd.write_bytes(data[:method] + b"\x63" + data[method + 1 :])
    with ZipFile(other, "w") as archive:
        archive.writestr("manifest.json", "[]")
    return [overwritten, odd, other]


def database_of(installation: Installation) -> str:
    return installation.environment["DATABASE_URL"].removeprefix("sqlite:///")


def sealed(installation: Installation) -> int:
    return len(content(installation)["chat_ledgerentry"])


def content(installation: Installation) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, read past our own code."""
    with sqlite3.connect(database_of(installation)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            table: sorted(map(alike, database.execute(f'SELECT * FROM "{table}"')), key=repr)
            for (table,) in tables
            if not table.startswith(NOT_OURS)
        }


def alike(row: tuple[object, ...]) -> tuple[object, ...]:
    """The journal writes milliseconds, Django the microseconds that they are: if any, all six."""
    return tuple(TIME.sub(r"\1", value) if isinstance(value, str) else value for value in row)


def files(installation: Installation) -> dict[str, bytes]:
    folder = Path(installation.environment["MEDIA_DIR"])
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def rows(path: Path) -> dict[str, bytes]:
    with ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name != "manifest.json"}
