"""Storage. One row per thing; the rules of the data are constraints."""

from chat.models.access import ApiToken
from chat.models.authorisations import (
    AuthorisationRequest,
    MCPAuthorisation,
    Unreadable,
    seal,
    unseal,
)
from chat.models.closings import AccountClosing
from chat.models.conversations import UNDO_SECONDS, Conversation, has_news, undo_deadline
from chat.models.exports import ToolRunExport
from chat.models.inputs import InputRequest
from chat.models.invitations import Invitation
from chat.models.ledger import LedgerEntry, LedgerHead
from chat.models.messages import Message, Tree, path_to
from chat.models.policy import Approval, ToolRule
from chat.models.preferences import Preferences
from chat.models.quotas import Quota
from chat.models.runs import ACTIVE_STATUSES, AgentRun, RunEvent, RunStatus, unpacked
from chat.models.servers import MCPServer, MCPTool
from chat.models.sessions import Session
from chat.models.staff_access import StaffAccess
from chat.models.tool_runs import SLOW_MS, Attachment, ToolRun, ToolRunState
from chat.models.usage import UsageEntry

__all__ = [
    "ACTIVE_STATUSES",
    "SLOW_MS",
    "UNDO_SECONDS",
    "AccountClosing",
    "AgentRun",
    "ApiToken",
    "Approval",
    "Attachment",
    "AuthorisationRequest",
    "Conversation",
    "InputRequest",
    "Invitation",
    "LedgerEntry",
    "LedgerHead",
    "MCPAuthorisation",
    "MCPServer",
    "MCPTool",
    "Message",
    "Preferences",
    "Quota",
    "RunEvent",
    "RunStatus",
    "Session",
    "StaffAccess",
    "ToolRule",
    "ToolRun",
    "ToolRunExport",
    "ToolRunState",
    "Tree",
    "Unreadable",
    "UsageEntry",
    "has_news",
    "path_to",
    "seal",
    "undo_deadline",
    "unpacked",
    "unseal",
]
