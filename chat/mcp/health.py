"""What was last seen of an MCP server."""

from dataclasses import dataclass, field
from typing import Literal

from chat.mcp.definitions import Catalog

State = Literal["unknown", "connecting", "ready", "down", "unauthorised"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerHealth:
    """What an admin can read: `reason` says why it is down. `catalog` is what it listed last."""

    slug: str
    state: State
    reason: str = ""
    protocol_version: str = ""
    catalog: Catalog = field(default_factory=Catalog)
