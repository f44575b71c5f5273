"""The tools of several servers as one toolbox for a run."""

import asyncio
from collections.abc import Sequence

from chat.agent.ports import Discovery, OnProgress
from chat.errors import ServerUnavailable, ToolBlocked
from chat.mcp.naming import offered_tools
from chat.mcp.owner import Owner
from chat.mcp.results import to_result
from chat.tools import Tool, ToolCall, ToolResult


class HubToolbox:
    """Implements ports.Toolbox."""

    def __init__(self, owners: Sequence[Owner]) -> None:
        self._owners = {owner.config.slug: owner for owner in owners}
        self._tools: dict[str, Tool] = {}

    async def discover(self) -> Discovery:
        """See ports.Toolbox. All servers side by side; each has its own bounded time."""
        owners = list(self._owners.values())
        answers = await asyncio.gather(
            *(owner.definitions() for owner in owners), return_exceptions=True
        )
        catalogs, failures = [], []
        for owner, answer in zip(owners, answers, strict=True):
            if isinstance(answer, ServerUnavailable):
                failures.append(f"The tools of {owner.config.name} could not be had: {owner.why}.")
            elif isinstance(answer, BaseException):
                raise answer
            else:
                catalogs.append((owner.config, answer))
        self._tools = {tool.name: tool for tool in offered_tools(catalogs)}
        return Discovery(tools=list(self._tools.values()), failures=failures)

    def find(self, name: str) -> Tool | None:
        return self._tools.get(name)

    async def call(self, call: ToolCall, on_progress: OnProgress) -> ToolResult:
        """See ports.Toolbox."""
        tool = self._tools.get(call.name)
        if tool is None:
            raise ToolBlocked(f"There is no tool named {call.name!r}.")
        owner = self._owners[tool.server]
        return to_result(await owner.call(tool.remote_name, dict(call.arguments), on_progress))
