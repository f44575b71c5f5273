"""The tools of several servers as one toolbox for a run."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence

from chat.agent.ports import Admission, Discovery, OnProgress
from chat.errors import ServerUnavailable, ToolBlocked
from chat.events import encode
from chat.mcp.config import ServerConfig
from chat.mcp.naming import offered_tools
from chat.mcp.owner import Owner
from chat.mcp.questions import OnQuestion
from chat.mcp.results import to_result
from chat.text import say
from chat.tools import Tool, ToolCall, ToolResult

# Those of the tools that may be offered, and sentences about others.
Choose = Callable[[Sequence[Tool]], Awaitable[Discovery]]


async def all_of(tools: Sequence[Tool]) -> Discovery:
    """Chooses all."""
    return Discovery(tools=tools)


class HubToolbox:
    """Implements ports.Toolbox. `choose`: which of the tools that the servers list."""

    def __init__(self, owners: Sequence[Owner], choose: Choose = all_of) -> None:
        self._owners = {owner.config.slug: owner for owner in owners}
        self._choose = choose
        self._tools: dict[str, Tool] = {}

    async def discover(self) -> Discovery:
        """See ports.Toolbox. All servers side by side; each has its own bounded time."""
        owners = list(self._owners.values())
        answers = await asyncio.gather(*(owner.tools() for owner in owners), return_exceptions=True)
        listed: list[Tool] = []
        failures: list[str] = []
        for owner, answer in zip(owners, answers, strict=True):
            if isinstance(answer, ServerUnavailable):
                failures.append(
                    say(
                        "The tools of {server} could not be had: {reason}.",
                        server=owner.config.name,
                        reason=owner.why,
                    )
                )
            elif isinstance(answer, BaseException):
                raise answer
            else:
                listed += answer
        chosen = await self._choose(listed)
        failures += chosen.failures
        found = [[tool for tool in chosen.tools if tool.server == slug] for slug in self._owners]
        tools = offered_tools(found)
        self._tools = {tool.name: tool for tool in tools}
        if left_out := len(chosen.tools) - len(tools):
            failures.append(
                say(
                    "{count} tools are left out: {most} are as many as fit.",
                    count=left_out,
                    most=len(tools),
                )
            )
        return Discovery(tools=tools, failures=failures)

    async def add(self, tools: Iterable[Tool]) -> None:
        """Find these too, where nothing else has their name: tools of servers that are away."""
        chosen = await self._choose([tool for tool in tools if tool.server in self._owners])
        self._tools = {tool.name: tool for tool in chosen.tools} | self._tools

    @property
    def configs(self) -> dict[str, ServerConfig]:
        """Of the servers whose tools these are, by slug."""
        return {slug: owner.config for slug, owner in self._owners.items()}

    def find(self, name: str) -> Tool | None:
        return self._tools.get(name)

    async def admit(self, call: ToolCall) -> Admission:
        """See ports.Toolbox. No policy here: who uses an agent in a program decides."""
        return Admission(call=call)

    async def call(
        self, call: ToolCall, on_progress: OnProgress, on_question: OnQuestion | None = None
    ) -> ToolResult:
        """See ports.Toolbox."""
        tool = self._tools.get(call.name)
        if tool is None:
            raise ToolBlocked(f"There is no tool named {call.name!r}.")
        answer = await self._owners[tool.server].calls.call(
            tool.remote_name,
            # One lone surrogate in them would end the connection for everybody.
            json.loads(encode(call.arguments)),
            fingerprint=tool.fingerprint,
            on_progress=on_progress,
            on_question=on_question,
        )
        # Megabytes of base64 and JSON would stop every stream meanwhile.
        return await asyncio.to_thread(to_result, answer)
