"""What each of the processes that share the tests has for itself: see pytest-xdist.

Those of one run are numbered gw0, gw1 …; without them there is one, which has no name.
"""

import os

from tests.servers.postgresql import make_database

NAME = os.environ.get("PYTEST_XDIST_WORKER", "")
# The PostgreSQL database that those of all processes are copies of: tests/on_postgresql.py.
MIGRATED = "migrated"


def own_database() -> str:
    """The URL of this process's PostgreSQL database, made now; "" where tests are on SQLite."""
    url = os.environ.get("TEST_DATABASE_URL", "")
    return make_database(url, f"{NAME}-{os.getpid()}", MIGRATED) if url else ""


def own_redis() -> str:
    """The URL of this process's part of Redis; "" where there is none."""
    url = os.environ.get("TEST_REDIS_URL", "")
    return f"{url.rpartition('/')[0]}/{NAME.removeprefix('gw') or 0}" if url else ""
