"""One MCP server from Python, without runs, rows or Django."""

from collections.abc import Mapping
from typing import Any, Self

from chat.agent.ports import OnProgress
from chat.mcp.config import ServerConfig
from chat.mcp.naming import offered_tools
from chat.mcp.owner import Owner
from chat.mcp.results import to_result
from chat.tools import Tool, ToolResult

# What a server's tool is called here: `tool.to_tool_definition()` is what a model is shown.
MCPTool = Tool


class MCPClient:
    """Close it, or use it in an `async with`.

    Raises ServerUnavailable where the server cannot be reached, and ToolError and its kinds.
    """

    def __init__(
        self, url: str, *, headers: Mapping[str, str] | None = None, timeout_seconds: float = 60
    ) -> None:
        self._owner = Owner(
            ServerConfig(
                slug="server",
                name=url,
                url=url,
                headers=headers or {},
                may_be_private=True,
                call_timeout_seconds=timeout_seconds,
                wait_seconds=15,
            )
        )

    async def __aenter__(self) -> Self:
        await self.initialize()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    async def initialize(self) -> None:
        """Connect and list the tools."""
        await self._owner.tools()

    async def list_tools(self) -> list[MCPTool]:
        return offered_tools([await self._owner.tools()])

    async def call_tool(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        on_progress: OnProgress | None = None,
    ) -> ToolResult:
        """A failing tool is a result with `is_error`."""
        listed = {tool.name: tool.remote_name for tool in await self.list_tools()}
        remote_name = listed.get(name, name)
        return to_result(
            await self._owner.calls.call(
                remote_name, dict(arguments or {}), on_progress=on_progress
            )
        )

    async def aclose(self) -> None:
        await self._owner.aclose()
