"""How an authorisation fails."""

from chat.errors import ChatError
from chat.mcp.http.network import NotSent


class AuthorisationFailed(ChatError):
    """It did not work; it may later. The text is safe to show."""

    code = "MCP_AUTHORISATION"


class AuthorisationRefused(AuthorisationFailed):
    """No new attempt will help: somebody has to authorise the server again."""


class Unauthorised(NotSent):
    """There is no authorisation to send a request with."""
