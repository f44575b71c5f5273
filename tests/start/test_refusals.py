"""What a start refuses, and what production settings mean: read, not believed."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from django.conf import settings

from chat import log_ids
from chatsite import refusals
from chatsite.logs import JsonLines, Lines
from tests.people import Person
from tests.servers.programs import unprivileged
from tests.servers.site import ROOT
from tests.start.steps import Installation

PRODUCTION = {"HTTPS": "true", "ALLOWED_HOSTS": "chat.example.org"}
# What a server loads, on a machine with other disks, by another command.
LOAD = """
import sys
from pathlib import Path
from chatsite import refusals
refusals.MOUNTS, sys.argv = Path(sys.argv[1]), sys.argv[2:]
import chatsite.settings
"""
PROGRAMS = '{"mcpServers": {"files": {"command": "npx", "args": []}}}'


def refusal(bare: Installation, **environment: str) -> str:
    """One sentence, and nothing else."""
    ended = bare.manage("check", **environment)
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1), ended.stderr
    return ended.stderr


def test_processes_that_would_not_hear_of_each_other_do_not_start(bare: Installation) -> None:
    assert "set REDIS_URL" in refusal(bare, PROCESSES="2", REDIS_URL="")

    assert refusals.processes_here(["/v/uvicorn/__main__.py", "--workers", "4"], {}) == 4
    assert refusals.processes_here(["/v/bin/uvicorn", "x:y"], {"WEB_CONCURRENCY": "3"}) == 3
    assert refusals.processes_here(["manage.py", "serve"], {"WEB_CONCURRENCY": "3"}) == 1
    assert refusals.lonely(2, "redis://127.0.0.1/0") == refusals.lonely(1, "") == ""


def loading(bare: Installation, mounts: Path, *command: str) -> str:
    """Why the settings cannot be loaded, by that command, where these are mounted."""
    ended = subprocess.run(
        [sys.executable, "-c", LOAD, str(mounts), *command],
        cwd=ROOT,
        env=bare.environment | {"REDIS_URL": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return ended.stderr.splitlines()[-1] if ended.returncode else ""


def test_what_is_unsafe_here_is_refused_when_a_server_starts(
    bare: Installation, tmp_path: Path
) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    near.write_text("/dev/sda / ext4 rw 0 0\n")
    far.write_text(f"/dev/sda / ext4 rw 0 0\nnas:/x {tmp_path} nfs4 rw 0 0\n")
    workers = ("/v/bin/uvicorn", "--workers", "2", "chatsite.asgi:application")

    assert "2 processes are to serve this site" in loading(bare, near, *workers)
    assert "is on a network file system (nfs4)" in loading(bare, far, "manage.py", "serve")
    assert loading(bare, near, "manage.py", "serve") == ""


def test_sqlite_is_of_one_machine() -> None:
    mounts = "/dev/sda / ext4 rw 0 0\nnas:/x /srv/far\\040away nfs4 rw 0 0\n"

    assert "(nfs4)" in refusals.far_away(Path("/srv/far away/db.sqlite3"), mounts)
    assert refusals.far_away(Path("/srv/far/db.sqlite3"), mounts) == ""
    assert refusals.far_away(Path("/srv/db.sqlite3"), "") == ""


def test_programs_are_named_where_the_server_cannot_write(
    bare: Installation, tmp_path: Path
) -> None:
    config = tmp_path / "mcp.json"
    config.write_text(PROGRAMS)
    config.chmod(0o644)

    assert "may write" in refusal(bare, MCP_CONFIG=str(config), **PRODUCTION)
    assert bare.manage("check", MCP_CONFIG=str(config)).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two people")
def test_programs_that_root_has_named_may_be_started() -> None:
    os.seteuid(unprivileged()["user"])
    try:
        assert refusals.writable_programs(Path("/etc/passwd")) == ""
    finally:
        os.seteuid(0)


def test_production_settings_pass_the_check(bare: Installation) -> None:
    checked = bare.manage("check", "--deploy", "--fail-level", "DEBUG", **PRODUCTION)

    assert (checked.returncode, checked.stderr) == (0, "")


def test_pages_tell_browsers_what_they_may_do(alice: Person) -> None:
    for path in ("/", "/admin/login/", "/api/runs/"):
        headers = alice.http.get(path).headers

        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "microphone=()" in headers["Permissions-Policy"]
        assert "default-src 'self'" in headers["Content-Security-Policy"]


def test_a_line_tells_ids_and_no_secrets() -> None:
    secrets = [settings.SECRET_KEY, "p@ssword/1"]
    said = 'null value\nDETAIL: Failing row contains (1, "Dear\ndiary").'
    try:
        raise psycopg.IntegrityError(said)
    except psycopg.IntegrityError:
        trouble = sys.exc_info()
    text = f"{settings.SECRET_KEY} p%40ssword%2F1 Bearer abcdefgh.1 p@ssword/1"
    record = logging.LogRecord("chat", logging.ERROR, "", 1, "Said: %s", (text,), trouble)
    tokens = [log_ids.run_id.set("r-1"), log_ids.user_id.set("7"), log_ids.request_id.set("q-1")]

    as_json, as_text = JsonLines(secrets=secrets).format(record), Lines(secrets=secrets)
    for variable, token in zip(
        (log_ids.run_id, log_ids.user_id, log_ids.request_id), tokens, strict=True
    ):
        variable.reset(token)

    line = json.loads(as_json)
    assert (line["run"], line["user"], line["request"]) == ("r-1", "7", "q-1")
    assert line["message"] == "Said: [secret] [secret] Bearer [secret] [secret]"
    for written in (as_json, as_text.format(record)):
        assert "IntegrityError" in written
        assert "diary" not in written
        assert not any(secret in written for secret in secrets)


@pytest.mark.parametrize("command", ["--help", "check", "export_tool_runs"])
def test_a_command_whose_reader_is_gone_ends_without_a_word(
    installation: Installation, command: str
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        ended = subprocess.run(
            [sys.executable, "manage.py", command],
            cwd=ROOT,
            env=installation.environment,
            stdout=gone,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )

    assert ended.returncode in {0, 1}
    assert "Traceback" not in ended.stderr
    assert "BrokenPipe" not in ended.stderr


def test_the_name_of_a_token_has_a_bound(installation: Installation) -> None:
    ended = installation.manage("create_api_token", "admin", "--name", "x" * 101)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert "--name is longer than 100 characters." in ended.stderr
