"""Storage. One row per thing; the rules of the data are constraints."""

from chat.models.access import ApiToken
from chat.models.conversations import Conversation, Message
from chat.models.runs import ACTIVE_STATUSES, AgentRun, RunEvent, RunStatus
from chat.models.tool_runs import MCPServer, ToolRun, ToolRunState

__all__ = [
    "ACTIVE_STATUSES",
    "AgentRun",
    "ApiToken",
    "Conversation",
    "MCPServer",
    "Message",
    "RunEvent",
    "RunStatus",
    "ToolRun",
    "ToolRunState",
]
