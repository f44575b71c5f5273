"""A ledger of many calls, and how soon it is read: python -m tests.bench.ledger [--rows 1000000].

On SQLite and, where it is installed, on PostgreSQL; both in a temporary folder.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.servers.postgresql import PostgreSQL
from tests.servers.programs import find
from tests.servers.site import ROOT


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--on", choices=("sqlite", "postgresql"))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if asked.on != "postgresql":
            measure(f"sqlite:///{folder / 'db.sqlite3'}", folder / "static", asked)
        if asked.on != "sqlite" and find("initdb"):
            with PostgreSQL() as database:
                measure(database.url, folder / "static", asked)


def measure(url: str, static: Path, asked: argparse.Namespace) -> None:
    """In a process of its own, which is set up with that database."""
    print(f"\n{asked.rows:,} calls, {url.partition(':')[0]}", flush=True)
    command = [sys.executable, "-m", "tests.bench.ledger_pages"]
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "STATIC_DIR": str(static),
        "DJANGO_SETTINGS_MODULE": "chatsite.settings",
        "SECRET_KEY": "of a bench, and long enough for anybody who counts characters",
        "REDIS_URL": "",
        "ALLOWED_HOSTS": "testserver",
    }
    arguments = [str(asked.rows), str(asked.rounds)]
    subprocess.run([*command, *arguments], cwd=ROOT, env=environment, check=True)


if __name__ == "__main__":
    main()
