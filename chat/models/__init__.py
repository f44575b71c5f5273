"""Storage. One row per thing; the rules of the data are constraints."""

from chat.models.access import ApiToken
from chat.models.authorisations import (
    AuthorisationRequest,
    MCPAuthorisation,
    Unreadable,
    seal,
    unseal,
)
from chat.models.conversations import UNDO_SECONDS, Conversation, has_news, undo_deadline
from chat.models.inputs import InputRequest
from chat.models.messages import Message, Tree, path_to
from chat.models.preferences import Preferences
from chat.models.runs import ACTIVE_STATUSES, AgentRun, RunEvent, RunStatus, unpacked
from chat.models.servers import MCPServer, MCPTool
from chat.models.tool_runs import Attachment, ToolRun, ToolRunState

__all__ = [
    "ACTIVE_STATUSES",
    "UNDO_SECONDS",
    "AgentRun",
    "ApiToken",
    "Attachment",
    "AuthorisationRequest",
    "Conversation",
    "InputRequest",
    "MCPAuthorisation",
    "MCPServer",
    "MCPTool",
    "Message",
    "Preferences",
    "RunEvent",
    "RunStatus",
    "ToolRun",
    "ToolRunState",
    "Tree",
    "Unreadable",
    "has_news",
    "path_to",
    "seal",
    "undo_deadline",
    "unpacked",
    "unseal",
]
