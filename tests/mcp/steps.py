"""What the tests of the MCP client do again and again."""

import asyncio
import itertools
import time
from collections.abc import Callable
from typing import Any

from chat.mcp.config import ServerConfig
from chat.mcp.hub import Hub
from chat.mcp.toolbox import HubToolbox
from chat.tools import ToolCall, ToolResult

_ids = itertools.count(1)


def config(url: str, slug: str = "demo", **values: Any) -> ServerConfig:
    values = {"may_be_private": True} | values
    return ServerConfig(slug=slug, name=f"{slug.title()} tools", url=url, **values)


async def toolbox_of(hub: Hub, *configs: ServerConfig) -> HubToolbox:
    """A toolbox that has discovered the tools of these servers, without a failure."""
    hub.configure(configs)
    toolbox = hub.open_toolbox()
    discovery = await toolbox.discover()
    assert not discovery.failures
    return toolbox


async def call(
    toolbox: HubToolbox, name: str, on_progress: Any = None, **arguments: Any
) -> ToolResult:
    asked = ToolCall(id=f"call-{next(_ids)}", name=name, arguments=arguments)
    return await toolbox.call(asked, on_progress or _ignore)


async def eventually(condition: Callable[[], bool], what: str, seconds: float = 15) -> float:
    """Wait for it, bounded; how long it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"within {seconds:g} s: {what}"
        await asyncio.sleep(0.01)
    return time.monotonic() - began


async def _ignore(progress: float, total: float | None, message: str | None) -> None:
    pass


class HeldUp:
    """How long the event loop was busy at a stretch, at most: in CPU seconds of its own thread,
    which say the same on a busy machine.
    """

    async def __aenter__(self) -> "HeldUp":
        self.longest, self._last = 0.0, time.thread_time()
        self._tick()
        return self

    async def __aexit__(self, *error: object) -> None:
        self._next.cancel()
        self._look()

    def _tick(self) -> None:
        self._look()
        self._next = asyncio.get_running_loop().call_later(0.002, self._tick)

    def _look(self) -> None:
        now = time.thread_time()
        self.longest, self._last = max(self.longest, now - self._last), now
