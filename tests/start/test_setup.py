"""manage.py setup and create_api_token: run them as often as you like."""

import sqlite3
from contextlib import closing
from pathlib import Path

from chat.models import ApiToken
from tests.prepared import migrate
from tests.start.steps import Installation


def rows(folder: Path, question: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "db.sqlite3")) as database:
        return database.execute(question).fetchall()


# What OWASP asks for, as of 2023: the cheat sheet on storing passwords.
ROUNDS = 600_000


def test_setup_makes_one_admin_and_shows_the_password_once(
    bare: Installation, tmp_path: Path
) -> None:
    first = bare.manage("setup", ADMIN_USERNAME="chief")
    again = bare.manage("setup", ADMIN_USERNAME="chief")

    assert "name:     chief" in first.stdout
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    admins = rows(tmp_path, "SELECT username, is_superuser FROM auth_user")
    assert admins == [("chief", 1)]


def test_a_password_that_was_given_is_hashed_and_not_repeated(
    bare: Installation, tmp_path: Path
) -> None:
    migrate(bare.environment["DATABASE_URL"])

    ended = bare.manage("setup", ADMIN_PASSWORD="an old friend of mine")

    assert ended.returncode == 0
    assert "an old friend of mine" not in ended.stdout + ended.stderr
    [(kept,)] = rows(tmp_path, "SELECT password FROM auth_user")
    algorithm, rounds, *_ = str(kept).split("$")
    assert algorithm == "pbkdf2_sha256"
    assert int(rounds) >= ROUNDS


def test_a_token_is_printed_alone(installation: Installation) -> None:
    ended = installation.manage("create_api_token", "admin", "--name", "nightly report")

    text = ended.stdout.removesuffix("\n")
    folder = Path(installation.environment["DATABASE_URL"].removeprefix("sqlite:///")).parent
    kept = rows(folder, "SELECT name, token_hash FROM chat_apitoken")
    assert text.split() == [text]
    assert ("nightly report", ApiToken.hash_of(text)) in kept


def test_a_token_for_nobody_is_one_sentence(installation: Installation) -> None:
    ended = installation.manage("create_api_token", "nobody")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "CommandError: There is no user named 'nobody'.\n"
