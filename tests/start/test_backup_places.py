"""Where a backup is put, and commands whose database is not there: a sentence, or a whole file."""

import errno
import fcntl
import os
from pathlib import Path

import pytest
from django.core.management import call_command

from chat.backup.archive import opened
from tests.prepared import migrate
from tests.start.steps import Installation

AWAY = "postgres://nobody@127.0.0.1:9/none"
COMMANDS = [
    ["backup", "backup.zip"],
    ["prune_events", "--older-than", "90d"],
    ["verify_ledger"],
    ["create_api_token", "nobody"],
]


def check(path: Path) -> None:
    with opened(path) as (_, manifest):
        assert manifest.migrations
    assert not path.with_name(f"{path.name}.part").exists()


def test_a_disk_without_hard_links_takes_a_backup(
    database: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None such can be mounted here: the system's own call says what it says there."""

    def link(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    path = tmp_path / "backup.zip"

    call_command("backup", str(path))

    check(path)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    place = Installation(tmp_path)
    migrate(place.environment["DATABASE_URL"])
    return place


def test_what_a_killed_one_left_is_in_nobodys_way(
    installation: Installation, tmp_path: Path
) -> None:
    path = tmp_path / "backup.zip"
    part = path.with_name("backup.zip.part")
    part.write_bytes(b"half of one" * 100_000)

    # As long as its process lives, nobody else touches it.
    with part.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        refused = installation.manage("backup", str(path))
        assert refused.returncode == 1
        assert "another backup is made there" in refused.stderr
        assert part.exists()

    assert installation.manage("backup", str(path)).returncode == 0
    check(path)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("is_away", [True, False], ids=["away", "empty"])
def test_a_database_that_is_not_there_is_a_sentence(
    tmp_path: Path, command: list[str], is_away: bool
) -> None:
    environment = {"DATABASE_URL": AWAY} if is_away else {}

    ended = Installation(tmp_path, **environment).manage(*command)

    assert ended.returncode == 1
    assert "setup" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(tmp_path.glob("backup.zip*"))


def test_a_name_that_is_too_long_is_a_sentence(installation: Installation) -> None:
    refused = installation.manage("backup", "x" * 300)

    assert refused.returncode == 1
    assert "cannot be written" in refused.stderr
