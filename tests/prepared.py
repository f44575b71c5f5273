"""A database that is migrated already: most of what a new installation's first minute is spent on.

    python -m tests.prepared

Kept in the checkout's .cache between runs, one for each state of the migrations and of what they
are made with. Whoever wants one first makes it, unless it was made in advance.
"""

import fcntl
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.servers.postgresql import PostgreSQL
from tests.servers.programs import find
from tests.servers.site import ROOT

CACHE = ROOT / ".cache" / "databases"
MIGRATE = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]


def migrate(url: str, environment: Mapping[str, str] = os.environ) -> None:
    """Make of the empty database at `url` what `manage.py migrate` makes of it."""
    if url.startswith("sqlite:///"):
        shutil.copy(_migrated(environment), url.removeprefix("sqlite:///"))
    elif (dump := find("pg_dump")) and (psql := find("psql")):
        _migrate_postgresql(url, environment, dump, psql)
    else:
        _run(url, environment)


def _migrated(environment: Mapping[str, str]) -> Path:
    with _locked():
        wanted = CACHE / f"{_state()}.sqlite3"
        if not wanted.exists():
            _forget("*.sqlite3*")
            made = wanted.with_suffix(".sqlite3-made")
            _run(f"sqlite:///{made}", environment)
            _in_one_file(made)
            made.rename(wanted)
    return wanted


def _migrate_postgresql(url: str, environment: Mapping[str, str], dump: str, psql: str) -> None:
    """The first is migrated, the others are what it was then."""
    with _locked():
        wanted = CACHE / f"{_state()}.postgresql"
        if not wanted.exists():
            _forget("*.postgresql*")
            _run(url, environment)
            made = wanted.with_suffix(".postgresql-made")
            subprocess.run([dump, f"--file={made}", url], check=True)
            made.rename(wanted)
            return
    quietly = ["--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--single-transaction"]
    command = [psql, *quietly, f"--file={wanted}", url]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


@contextmanager
def _locked() -> Iterator[None]:
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _forget(pattern: str) -> None:
    for old in CACHE.glob(pattern):
        old.unlink()


def _run(url: str, environment: Mapping[str, str]) -> None:
    there = {**environment, "DATABASE_URL": url}
    subprocess.run(MIGRATE, cwd=ROOT, env=there, check=True)


def _state() -> str:
    folders = ("chat/migrations", "chat/models", "chatsite")
    sources = [path for folder in folders for path in ROOT.joinpath(folder).rglob("*.py")]
    sources += [ROOT / "requirements.txt", Path(__file__)]
    whole = hashlib.sha256()
    for path in sorted(sources):
        whole.update(path.read_bytes())
    return whole.hexdigest()[:16]


def _in_one_file(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def main() -> None:
    """Make all that can be made here."""
    environment = os.environ | {"SECRET_KEY": "of nobody"}
    _migrated(environment)
    if find("initdb") and find("postgres"):
        with PostgreSQL() as server:
            migrate(server.url, environment)


if __name__ == "__main__":
    main()
