"""A real MCP server for tests, made with the SDK, on a socket of its own."""

import asyncio
import base64
import socket
from types import TracebackType
from typing import Any, Literal, Self

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import AudioContent, CallToolResult, ImageContent, Tool, ToolAnnotations
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.servers.media import png, wav
from tests.servers.site import free_port
from tests.servers.threaded import Threaded

Era = Literal["2025-11-25", "2026-07-28"]


class ScriptedMCPServer:
    """`calls` holds (name, arguments) of each call; `cancelled` the names of calls cut short;
    `lists` is how often the tools were listed.
    """

    def __init__(self, name: str = "scripted", era: Era = "2026-07-28") -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.cancelled: list[str] = []
        self.lists = 0
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        self._name = name
        self._era = era
        self._server: Threaded | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        app = self._application().streamable_http_app()
        if self._era == "2025-11-25":
            app = _blind_to_newer_eras(app)
        self._server = Threaded(app, self.port)
        self._server.start()

    def stop(self) -> None:
        """End at once, also what is open."""
        if self._server:
            self._server.stop()

    def restart(self) -> None:
        """On the same port, with nothing remembered."""
        self.stop()
        self.start()

    def _application(self) -> MCPServer:
        script = self

        class Counting(MCPServer):
            async def list_tools(self) -> list[Tool]:
                script.lists += 1
                return await super().list_tools()

        server = Counting(self._name, log_level="CRITICAL")
        self._add_quick_tools(server)
        self._add_rich_tools(server)
        self._add_slow_tools(server)
        self._add_growth(server)
        return server

    def _add_quick_tools(self, server: MCPServer) -> None:
        calls = self.calls

        @server.tool(title="Echo", description="Give the text back.")
        def echo(text: str) -> str:
            calls.append(("echo", {"text": text}))
            return text

        @server.tool(description="Fail with the text.")
        def fail(text: str) -> str:
            calls.append(("fail", {"text": text}))
            raise ToolError(text)

        @server.tool(description="Add two numbers.")
        def add(a: int, b: int) -> dict[str, int]:
            calls.append(("add", {"a": a, "b": b}))
            return {"sum": a + b}

        @server.tool(
            title="Wipe",
            description="Delete what is there.",
            annotations=ToolAnnotations(destructive_hint=True),
        )
        def wipe(path: str, force: bool = False) -> str:
            calls.append(("wipe", {"path": path, "force": force}))
            return f"{path} is gone"

        @server.tool(description="Look.", annotations=ToolAnnotations(read_only_hint=True))
        def look(path: str) -> str:
            calls.append(("look", {"path": path}))
            return f"{path} is there"

        @server.tool(description="A long text: the piece so many times.")
        def big(size: int, piece: str = "x") -> str:
            return piece * size

    def _add_rich_tools(self, server: MCPServer) -> None:
        @server.tool(title="Draw", description="A picture of that size.")
        def picture(width: int = 320, height: int = 200) -> ImageContent:
            data = base64.b64encode(png(width, height)).decode()
            return ImageContent(data=data, mime_type="image/png")

        @server.tool(description="Silence.")
        def sound() -> AudioContent:
            return AudioContent(data=base64.b64encode(wav()).decode(), mime_type="audio/wav")

        @server.tool(description="Give back exactly this result of a tool.")
        def give(result: dict[str, Any]) -> CallToolResult:
            return CallToolResult.model_validate(result)

    def _add_slow_tools(self, server: MCPServer) -> None:
        calls, cancelled = self.calls, self.cancelled

        @server.tool(description="Take that many seconds, reporting progress.")
        async def slow(context: Context, seconds: float = 1, steps: int = 4) -> str:
            calls.append(("slow", {"seconds": seconds, "steps": steps}))
            try:
                for step in range(steps):
                    await asyncio.sleep(seconds / steps)
                    await context.report_progress(step + 1, steps, f"step {step + 1}")
            except asyncio.CancelledError:
                cancelled.append("slow")
                raise
            return "slow but done"

        @server.tool(description="Wait until somebody cancels this.")
        async def hang() -> str:
            calls.append(("hang", {}))
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append("hang")
                raise
            return "never"

    def _add_growth(self, server: MCPServer) -> None:
        def late(text: str) -> str:
            return text

        @server.tool(description="From now on there is a tool called late, too.")
        async def grow(context: Context) -> str:
            server.add_tool(late)
            await self._announce(context)
            return "grown"

        @server.tool(description="Say so many times that the tools have changed.")
        async def flood(context: Context, times: int) -> str:
            for _ in range(times):
                await self._announce(context)
            return "said"

    async def _announce(self, context: Context) -> None:
        if self._era == "2025-11-25":
            await context.session.send_tool_list_changed()
        else:
            await context.notify_tools_changed()


def _blind_to_newer_eras(app: ASGIApp) -> ASGIApp:
    """The SDK's server of 2025: the newer era's name means nothing to it."""

    async def older(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = [
                (name, value)
                for name, value in scope["headers"]
                if not (name == b"mcp-protocol-version" and value.startswith(b"2026"))
            ]
            scope = {**scope, "headers": headers}
        await app(scope, receive, send)

    return older


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
