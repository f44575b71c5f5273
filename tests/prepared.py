"""A database that is migrated already: most of what a new installation's first minute is spent on.

Kept in the checkout's .cache between runs, one for each state of the migrations and of what they
are made with.
"""

import fcntl
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.servers.site import ROOT

CACHE = ROOT / ".cache" / "databases"
MIGRATE = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]


def migrate(url: str, environment: Mapping[str, str] = os.environ) -> None:
    """Make of the empty database at `url` what `manage.py migrate` makes of it."""
    if url.startswith("sqlite:///"):
        shutil.copy(_migrated(environment), url.removeprefix("sqlite:///"))
    else:
        _run(url, environment)


def _migrated(environment: Mapping[str, str]) -> Path:
    CACHE.mkdir(parents=True, exist_ok=True)
    wanted = CACHE / f"{_state()}.sqlite3"
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not wanted.exists():
            for old in CACHE.glob("*.sqlite3*"):
                old.unlink()
            made = wanted.with_suffix(".sqlite3-made")
            _run(f"sqlite:///{made}", environment)
            _in_one_file(made)
            made.rename(wanted)
    return wanted


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
