"""The tools of one run: those of the hub, with what only a run can do for them."""

from functools import partial
from uuid import UUID

from chat.agent.ports import Discovery, OnProgress
from chat.errors import ToolBlocked
from chat.mcp.toolbox import HubToolbox
from chat.runs.tools.attachments import keep_all
from chat.runs.tools.inputs import Asker
from chat.tools import Tool, ToolCall, ToolResult


class RunToolbox:
    """Implements ports.Toolbox. Questions of servers go to the run's owner; files are kept."""

    def __init__(self, run_id: UUID, tools: HubToolbox, asker: Asker) -> None:
        self._run_id = run_id
        self._tools = tools
        self._asker = asker

    async def discover(self) -> Discovery:
        """See ports.Toolbox."""
        return await self._tools.discover()

    def find(self, name: str) -> Tool | None:
        return self._tools.find(name)

    async def call(self, call: ToolCall, on_progress: OnProgress) -> ToolResult:
        """See ports.Toolbox."""
        tool = self._tools.find(call.name)
        if tool is None:
            raise ToolBlocked(f"There is no tool named {call.name!r}.")
        ask = partial(self._asker.ask, call, tool)
        try:
            result = await self._tools.call(call, on_progress, ask)
        finally:
            await self._asker.close(call)
        return await keep_all(self._run_id, call.id, result)
