"""What became of a call that failed, and why a server is down, in words."""

from enum import Enum

import httpx2
from mcp import MCPError
from mcp.types import CONNECTION_CLOSED, INVALID_REQUEST, REQUEST_TIMEOUT

_GONE = ("Session not found", "Session terminated")


class Fate(Enum):
    """Executed? UNSENT: no. LOST and TIMEOUT: perhaps. ANSWERED: the server itself said no."""

    UNSENT = "unsent"
    LOST = "lost"
    TIMEOUT = "timeout"
    ANSWERED = "answered"


def classify(error: MCPError) -> Fate:
    if error.code == REQUEST_TIMEOUT:
        return Fate.TIMEOUT
    if error.code == CONNECTION_CLOSED:
        was_sent = error.data.get("sent", True) if isinstance(error.data, dict) else True
        return Fate.LOST if was_sent else Fate.UNSENT
    if error.code == INVALID_REQUEST and error.message in _GONE:
        # The server forgot the session (it restarted): it has not looked at the call.
        return Fate.UNSENT
    return Fate.ANSWERED


def reason_of(error: BaseException) -> str:
    """A short reason that an admin can act on; what the SDK wraps is unwrapped."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    match error:
        case httpx2.HTTPStatusError():
            return _status(error.response.status_code)
        case TimeoutError() | httpx2.TimeoutException():
            return "it did not answer in time"
        case httpx2.ConnectError():
            return "the connection was refused"
        case _:
            return (str(error) or type(error).__name__)[:300]


def _status(status: int) -> str:
    if status in (401, 403):
        return f"it refused our credentials ({status})"
    if status == 404:
        return "there is nothing at this address (404)"
    return f"it answered with an error ({status})"
