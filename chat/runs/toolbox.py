"""The tools of one run: those of the hub, with what only a run can do for them."""

from chat.agent.ports import Discovery, OnProgress
from chat.mcp.toolbox import HubToolbox
from chat.tools import Tool, ToolCall, ToolResult


class RunToolbox:
    """Implements ports.Toolbox."""

    def __init__(self, tools: HubToolbox) -> None:
        self._tools = tools

    async def discover(self) -> Discovery:
        """See ports.Toolbox."""
        return await self._tools.discover()

    def find(self, name: str) -> Tool | None:
        return self._tools.find(name)

    async def call(self, call: ToolCall, on_progress: OnProgress) -> ToolResult:
        """See ports.Toolbox."""
        return await self._tools.call(call, on_progress)
