"""What became of a call that failed, and why a server is down, in words."""

from enum import Enum

import anyio
import httpx2
from mcp import MCPError
from mcp.types import CONNECTION_CLOSED, INVALID_REQUEST, REQUEST_TIMEOUT

from chat.errors import ServerUnavailable, ToolError, ToolLost, ToolTimeout
from chat.mcp.health import State
from chat.mcp.http.network import NotSent
from chat.mcp.oauth.errors import Unauthorised
from chat.text import say

TOO_LARGE = "the result is larger than can be accepted"
REFUSED = "it refused our credentials"
MAX_REASON_CHARACTERS = 300
_GONE = ("Session not found", "Session terminated")
# How the SDK ends its message about an event that is over the limit.
_EVENT_TOO_LARGE = "byte limit."


class Fate(Enum):
    """Executed? UNSENT: no. LOST and TIMEOUT: perhaps. ANSWERED: the server had its say."""

    UNSENT = "unsent"
    LOST = "lost"
    TIMEOUT = "timeout"
    TOO_LARGE = "too large"
    ANSWERED = "answered"


def classify(error: MCPError) -> Fate:
    if error.code == REQUEST_TIMEOUT:
        return Fate.TIMEOUT
    if error.code == CONNECTION_CLOSED:
        if error.message == TOO_LARGE or error.message.endswith(_EVENT_TOO_LARGE):
            return Fate.TOO_LARGE
        was_sent = error.data.get("sent", True) if isinstance(error.data, dict) else True
        return Fate.LOST if was_sent else Fate.UNSENT
    if error.code == INVALID_REQUEST and error.message in _GONE:
        # The server forgot the session (it restarted): it has not looked at the call.
        return Fate.UNSENT
    return Fate.ANSWERED


def failure_of(fate: Fate, server_name: str, error: MCPError) -> ToolError:
    """What the model is told, and what goes on record."""
    match fate:
        case Fate.TIMEOUT:
            return ToolTimeout(f"{server_name} did not answer in time.")
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
        case MCPError(code=code) if code == REQUEST_TIMEOUT:
            return say("it did not answer in time")
        case root:
            text = " ".join(str(root).split()).rstrip(".")
            return (text or type(root).__name__)[:MAX_REASON_CHARACTERS]


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
