"""Runs tests on PostgreSQL and Redis of their own.

    python -m tests.on_postgresql PYTEST-ARGUMENTS [--then PYTEST-ARGUMENTS]

Where one of them is not installed it says so in a line, and fails only where CI is set.
"""

import os
import subprocess
import sys

from tests.prepared import migrate
from tests.servers.postgresql import PostgreSQL, make_database
from tests.servers.programs import find
from tests.servers.redis import Redis
from tests.workers import MIGRATED


def main(arguments: list[str]) -> int:
    missing = [name for name in ("initdb", "postgres", "redis-server") if find(name) is None]
    if missing:
        print(f"Left out: the tests on PostgreSQL and Redis ({', '.join(missing)} not installed).")
        return 1 if os.environ.get("CI") else 0
    with PostgreSQL() as database, Redis() as redis:
        migrate(make_database(database.url, MIGRATED), os.environ | {"SECRET_KEY": "of nobody"})
        places = {"TEST_DATABASE_URL": database.url, "TEST_REDIS_URL": redis.url}
        for given in runs_of(arguments):
            command = [sys.executable, "-m", "pytest", *given]
            if code := subprocess.run(command, env=os.environ | places, check=False).returncode:
                return code
    return 0


def runs_of(arguments: list[str]) -> list[list[str]]:
    """What stands before `--then`, and what after it."""
    if "--then" not in arguments:
        return [arguments]
    then = arguments.index("--then")
    return [arguments[:then], arguments[then + 1 :]]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
