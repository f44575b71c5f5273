"""A small process-wide pool of threads for database reads and short writes.

A request's own thread-sensitive executor would pin one thread and one connection to each
open stream for its whole life; this pool holds a handful for all of them.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    connection,
    connections,
)

P = ParamSpec("P")
T = TypeVar("T")
THREADS = 4
CONNECT_ATTEMPTS = 5
# What a database raises that is away, busy or full.
AWAY_ERRORS = (OperationalError, InterfaceError)

_threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="db")
# SQLite lets one write at a time. Writers queue here: at SQLite's own lock they would sleep,
# up to 100 ms a time, and the journal behind them.
writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="db-writer")


async def in_pool(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `function` in a thread of the pool. It finishes even if the caller is cancelled."""
    call = partial(function, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_threads, _with_connection, call)


async def in_writer(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Like in_pool, for a short transaction that writes."""
    is_sqlite = connections.settings["default"]["ENGINE"].endswith("sqlite3")
    call = partial(function, *args, **kwargs)
    threads = writer if is_sqlite else _threads
    return await asyncio.get_running_loop().run_in_executor(threads, _with_connection, call)


def _with_connection(call: Callable[[], T]) -> T:
    try:
        _connect()
        return call()
    except DatabaseError:
        connection.close()
        raise
    finally:
        # A PostgreSQL connection goes back to psycopg's pool; SQLite's costs nothing to keep.
        if connection.vendor != "sqlite":
            connection.close()


def _connect() -> None:
    """Wait for a PostgreSQL that is away, five times as long as its pool does: 10 s."""
    for _ in range(CONNECT_ATTEMPTS - 1):
        with suppress(OperationalError):
            connection.ensure_connection()
            return
    connection.ensure_connection()
