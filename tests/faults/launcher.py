"""The product under Daphne, in a process that dies at a named point. The product has no hooks:
functions are wrapped from the outside, in this process only.

    python -m tests.faults.launcher

loads everything, waits for a line on stdin, and starts at once then, so that a restart costs no
time: `{"port": 8000, "point": "after_commit", "hit": 3}`. Without a `point` it lives on.
"""

import inspect
import json
import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from itertools import count
from pkgutil import resolve_name
from typing import Any

from daphne.cli import CommandLineInterface

from tests.faults.points import POINTS, When


def main() -> None:
    # Loads the application; Daphne finds it loaded.
    resolve_name("chatsite.asgi:application")
    line = sys.stdin.readline()
    if not line:
        return
    order = json.loads(line)
    if "point" in order:
        arm(order["point"], order["hit"])
    place = ["--bind", "127.0.0.1", "--port", str(order["port"]), "--verbosity", "0"]
    CommandLineInterface().run([*place, "chatsite.asgi:application"])


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
