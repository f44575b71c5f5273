"""What became of a call that failed, and why a server is down, in words."""

import secrets
from enum import Enum

import anyio
import httpx2
from mcp import MCPError
from mcp.types import CONNECTION_CLOSED, REQUEST_TIMEOUT, ErrorData

from chat.errors import ServerUnavailable, ToolError, ToolLost
from chat.mcp.health import State
from chat.mcp.http.network import NotSent
from chat.mcp.oauth.errors import Unauthorised
from chat.text import say, visible

TOO_LARGE = "the result is larger than can be accepted"
REFUSED = "it refused our credentials"
MAX_REASON_CHARACTERS = 300
STOPPED = "it was told to stop"
MAX_TEXT_CHARACTERS = 4 * MAX_REASON_CHARACTERS
# In the errors that we make ourselves. A server may use any code for its own.
_OURS = secrets.token_hex(8)
# How the SDK (mcp 2.3.0) begins to tell that there is no answer, and how it ends its message about
# an event that is over the limit.
_NO_ANSWER = ("Connection closed", "SSE stream ended", "SSE stream failed")
_EVENT_TOO_LARGE = "byte limit."


class Fate(Enum):
    """Executed? UNSENT: no. LOST: perhaps. ANSWERED: the server had its say."""

    UNSENT = "unsent"
    LOST = "lost"
    TOO_LARGE = "too large"
    ANSWERED = "answered"


def failed(message: str, *, is_sent: bool) -> ErrorData:
    """The answer to a request that got none. `is_sent`: the server may have seen the request."""
    data = {"by": _OURS, "is_sent": is_sent}
    return ErrorData(code=CONNECTION_CLOSED, message=message, data=data)


def classify(error: MCPError) -> Fate:
    """By what we and the SDK say. Whatever else has one of their codes is the server's word."""
    if isinstance(error.data, dict) and error.data.get("by") == _OURS:
        if error.message == TOO_LARGE:
            return Fate.TOO_LARGE
        return Fate.LOST if error.data["is_sent"] else Fate.UNSENT
    if error.code == CONNECTION_CLOSED and error.message.startswith(_NO_ANSWER):
        return Fate.TOO_LARGE if error.message.endswith(_EVENT_TOO_LARGE) else Fate.LOST
    return Fate.ANSWERED


def failure_of(fate: Fate, server_name: str, error: MCPError) -> ToolError:
    """What the model is told, and what goes on record."""
    match fate:
        case Fate.LOST:
            return ToolLost(f"The connection to {server_name} broke; the outcome is unknown.")
        case Fate.UNSENT:
            return ServerUnavailable(f"{server_name} cannot be reached: {reason_of(error)}.")
        case Fate.TOO_LARGE:
            return ToolError(f"{server_name} has answered, but {TOO_LARGE}.")
        case Fate.ANSWERED:
            return ToolError(error.message)


def reason_of(error: BaseException) -> str:
    """A short reason that an admin can act on; what the SDK wraps is unwrapped."""
    match _root(error):
        case TimeoutError() | httpx2.TimeoutException():
            return say("it did not answer in time")
        case NotSent() as refused:
            return str(refused)
        case httpx2.ConnectError():
            return say("the connection was refused")
        case MCPError(code=code) as late if code == REQUEST_TIMEOUT and _is_own(late):
            return say("it did not answer in time")
        case root:
            text = " ".join(visible(str(root), MAX_TEXT_CHARACTERS).split()).rstrip(".")
            return (text or type(root).__name__)[:MAX_REASON_CHARACTERS]


def _is_own(late: MCPError) -> bool:
    """The SDK's (mcp 2.3.0) and not the server's, for which the code may mean something else."""
    return late.message.startswith("Request ") and late.message.endswith(" timed out")


def _root(error: BaseException) -> BaseException:
    """The first of what was wrapped; that the SDK's own streams broke is only what followed."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [_root(inner) for inner in error.exceptions]
    followed = (anyio.BrokenResourceError, anyio.ClosedResourceError)
    return next((leaf for leaf in leaves if not isinstance(leaf, followed)), leaves[0])


def state_of(error: BaseException) -> State:
    """Down, or in need of an authorisation that no new attempt will bring."""
    is_ours = isinstance(_root(error), Unauthorised)
    return "unauthorised" if is_ours or reason_of(error).startswith(REFUSED) else "down"


def reason_of_status(status: int) -> str:
    """Words for an HTTP status that no MCP server would answer with."""
    if status in {401, 403}:
        return say("it refused our credentials ({status})", status=status)
    return say("it answered with an error ({status})", status=status)
