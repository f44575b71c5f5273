"""The demo bell: the one thing here that a tool changes. Its count goes with the process."""

from threading import Lock

_lock = Lock()
_rung = 0


def ring(times: int) -> str:
    global _rung
    with _lock:
        _rung += times
        return f"The bell has rung {_rung} times."


def reset() -> str:
    global _rung
    with _lock:
        before, _rung = _rung, 0
        return f"The count of the bell was {before}, and is 0 now."
