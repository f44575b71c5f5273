"""The tools of one run: those of the hub, with what only a run can do for them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from chat.agent.ports import Admission, Discovery, OnProgress
from chat.errors import ToolBlocked
from chat.mcp.toolbox import HubToolbox
from chat.runs.budget import RunBudget
from chat.runs.pool import in_pool
from chat.runs.tools.approvals import Gate
from chat.runs.tools.attachments import keep_all
from chat.runs.tools.away import tools_away
from chat.runs.tools.inputs import Asker
from chat.tools import Tool, ToolCall, ToolResult


class RunToolbox:
    """Implements ports.Toolbox. The policy has the say; questions of servers go to the run's
    owner; files are kept.
    """

    def __init__(
        self,
        run_id: UUID,
        tools: HubToolbox,
        budget: RunBudget,
        gate: Gate,
        asker: Asker,
        begun: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """`begun`: the calls that another process has left to be made."""
        self._run_id = run_id
        self._tools = tools
        self._budget = budget
        self._gate = gate
        self._asker = asker
        self._begun = begun

    async def discover(self) -> Discovery:
        """See ports.Toolbox."""
        found = await self._tools.discover()
        missing = [call for call in self._begun if self.find(call["name"]) is None]
        if not (missing and found.failures):
            return found
        # A person may take a day to allow a call: until then its server may be back.
        await self._tools.add(await in_pool(tools_away, missing, self._tools.configs))
        away = [tool for call in missing if (tool := self.find(call["name"]))]
        return replace(found, away=away)

    def find(self, name: str) -> Tool | None:
        return self._tools.find(name)

    async def admit(self, call: ToolCall) -> Admission:
        """See ports.Toolbox."""
        # First: nobody is asked about a call that may not be.
        self._budget.spend_call()
        return await self._gate.admit(call, self._found(call))

    async def call(self, call: ToolCall, on_progress: OnProgress) -> ToolResult:
        """See ports.Toolbox."""
        ask = partial(self._asker.ask, call, self._found(call))
        try:
            result = await self._tools.call(call, on_progress, ask)
        finally:
            await self._asker.close(call)
        return await keep_all(self._run_id, call.id, result)

    def _found(self, call: ToolCall) -> Tool:
        if tool := self._tools.find(call.name):
            return tool
        raise ToolBlocked(f"There is no tool named {call.name!r}.")
