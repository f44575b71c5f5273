"""A small process-wide pool of threads for database reads and short writes.

A request's own thread-sensitive executor would pin one thread and one connection to each
open stream for its whole life; this pool holds a handful for all of them.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from threading import Event, current_thread, local
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary, WeakSet

from django.conf import settings
from django.db import (
    DatabaseError,
    InterfaceError,
    InternalError,
    OperationalError,
    connection,
    connections,
)
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver
from django.utils import translation

P = ParamSpec("P")
T = TypeVar("T")
THREADS = 4
CONNECT_ATTEMPTS = 5
# What a database raises that is away, busy or full.
AWAY_ERRORS = (OperationalError, InterfaceError)
# PostgreSQL's, by SQLSTATE: it is read-only (a failover), or ended a transaction that stood still.
_AWAY_STATES = {"25006", "25P03"}
_LOCKED_STATE = "55P03"
# A row that somebody else keeps locked holds up nobody for longer; and who stands still, with a
# row locked, loses it before the run counts as an orphan.
_BOUNDS = "SET lock_timeout = '2s'; SET idle_in_transaction_session_timeout = '8s'"

# What is said in the pool is in the language of who asked. Django's own note of it stays behind in
# the thread of the request, and costs a hundred times as much to look at.
language: ContextVar[str] = ContextVar("language", default=settings.LANGUAGE_CODE)
_spoken = local()

_threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="db")
# SQLite lets one write at a time. Writers queue here: at SQLite's own lock they would sleep,
# up to 100 ms a time, and the journal behind them.
WRITER = "db-writer"
writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix=WRITER)
# One that is being written and one that is next. In the thread's own queue, many questions at once
# would stand before the journal's next commit, and hold up every stream.
WRITES_AT_ONCE = 2
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
_is_leaving = Event()


async def in_pool(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `function` in a thread of the pool. It finishes even if the caller is cancelled."""
    return await _in(_threads, partial(function, *args, **kwargs))


async def in_writer(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Like in_pool, for a short transaction that writes; one whose turn has not come writes nothing
    if its caller is cancelled.
    """
    call = partial(function, *args, **kwargs)
    if not connections.settings["default"]["ENGINE"].endswith("sqlite3"):
        return await _in(_threads, call)
    turns = _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(WRITES_AT_ONCE))
    async with turns:
        return await _in(writer, call)


async def _in(threads: ThreadPoolExecutor, call: Callable[[], T]) -> T:
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(threads, _with_connection, call, language.get())


def _with_connection(call: Callable[[], T], asked: str) -> T:
    if asked != getattr(_spoken, "language", settings.LANGUAGE_CODE):
        translation.activate(asked)
        _spoken.language = asked
    try:
        _connect()
        return call()
    except DatabaseError as error:
        connection.close()
        raise_away(error)
        raise
    finally:
        # A PostgreSQL connection goes back to psycopg's pool; SQLite's costs nothing to keep.
        if connection.vendor != "sqlite":
            connection.close()


@receiver(connection_created)
def _keep_in_memory(connection: BaseDatabaseWrapper, **_: object) -> None:
    """What SQLite needs to undo one statement: the writer's would be a new file for each commit.

    It has a page for each run that says something. Not for all: others sort as much as they like.
    """
    if connection.vendor == "sqlite" and current_thread().name.startswith(WRITER):
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA temp_store=MEMORY")


def raise_away(error: Exception) -> None:
    """Raise as one of AWAY_ERRORS what says only by its SQLSTATE that the database is away."""
    if is_away(error) and not isinstance(error, AWAY_ERRORS):
        raise OperationalError(*error.args) from error


def is_away(error: BaseException | None) -> bool:
    """Whether it says that the database is away, busy or full."""
    is_by_state = isinstance(error, InternalError) and _state_of(error) in _AWAY_STATES
    return is_by_state or isinstance(error, AWAY_ERRORS)


def is_locked(error: Exception) -> bool:
    """Whether a row was kept locked by somebody for too long: of all others this says nothing."""
    return _state_of(error) == _LOCKED_STATE


def _state_of(error: Exception) -> str | None:
    return getattr(error.__cause__, "sqlstate", None)


def bound_waits() -> None:
    """From now on PostgreSQL ends what waits for a lock, or stands still within a transaction.

    For whoever serves; a migration or a backup may take its time.
    """
    connection_created.connect(_bound_waits)


_bounded: WeakSet[Any] = WeakSet()


def _bound_waits(connection: BaseDatabaseWrapper, **_: object) -> None:
    if connection.vendor == "postgresql" and connection.connection not in _bounded:
        with connection.cursor() as cursor:
            cursor.execute(_BOUNDS)
        # It comes out of psycopg's pool again and again.
        _bounded.add(connection.connection)


def leave() -> None:
    """From now on wait for a database that is away no longer than once: the process ends."""
    _is_leaving.set()


def _connect() -> None:
    """Wait for a PostgreSQL that is away, five times as long as its pool does: 10 s."""
    for _ in range(CONNECT_ATTEMPTS - 1):
        if _is_leaving.is_set():
            break
        with suppress(OperationalError):
            connection.ensure_connection()
            return
    connection.ensure_connection()
