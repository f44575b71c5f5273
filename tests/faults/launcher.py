"""Servers that die at named points. The product has no hooks: its functions are wrapped from the
outside, in these processes only.

    python -m tests.faults.launcher

For each line on stdin, `{"port": 8000, "point": "after_commit", "hit": 3}`, the product starts
under Daphne in a new process; without a `point` it lives on. Its id is printed at once, and a line
when it is gone. Most of a start is loading code, which is done once, before: nothing else is
shared, neither a thread nor a connection. At the end of stdin, the last process is killed.
"""

import importlib
import inspect
import json
import os
import select
import signal
import sys
from collections.abc import Callable
from functools import wraps
from itertools import count
from pkgutil import resolve_name
from typing import Any

import django

from tests.faults.points import POINTS, When

LOOK_SECONDS = 0.01


def main() -> None:
    load()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            live(**json.loads(line))
            return
        print(pid, flush=True)
        wait(pid)
        print("gone", flush=True)


def load() -> None:
    """All but Twisted's reactor, whose event loop is each process's own."""
    django.setup()
    for name in ("chatsite.application", "chatsite.urls", "autobahn.twisted.websocket"):
        importlib.import_module(name)


def live(port: int, point: str = "", hit: int = 0) -> None:
    """Serve, until it is asked to stop or reaches its point."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    if point:
        arm(point, hit)
    place = ["--bind", "127.0.0.1", "--port", str(port), "--verbosity", "0"]
    daphne = importlib.import_module("daphne.cli")
    daphne.CommandLineInterface().run([*place, "chatsite.asgi:application"])


def wait(pid: int) -> None:
    """Until the process is gone. Nothing is said on stdin meanwhile: it may only end."""
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if select.select([sys.stdin], [], [], LOOK_SECONDS)[0]:
            os.kill(pid, signal.SIGKILL)


def arm(name: str, hit: int) -> None:
    """Die when the point is reached for the `hit`-th time."""
    point = POINTS[name]
    owner = resolve_name(point.owner)
    counter = count(1)

    def reached() -> None:
        if next(counter) == hit:
            # All threads at once, and nothing is cleaned up: as kill -9 and power cuts do.
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, point.name, _wrapped(getattr(owner, point.name), point.when, reached))


def _wrapped(
    function: Callable[..., Any], when: When, reached: Callable[[], None]
) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(function):
        return _wrapped_async(function, when, reached)

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            reached()
        result = function(*args, **kwargs)
        if when == "after":
            reached()
        return _wrapped(result, "after", reached) if when == "in result" else result

    return wrapper


def _wrapped_async(
    function: Callable[..., Any], when: When, reached: Callable[[], None]
) -> Callable[..., Any]:
    @wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            reached()
        result = await function(*args, **kwargs)
        if when == "after":
            reached()
        return result

    return wrapper


if __name__ == "__main__":
    main()
