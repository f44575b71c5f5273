"""All MCP servers of this process: one owner task each, started on first use."""

import asyncio
from collections.abc import Callable, Sequence

from chat.mcp.config import ServerConfig, ServerHealth
from chat.mcp.owner import Owner
from chat.mcp.toolbox import HubToolbox

__all__ = ["Hub", "ServerHealth"]


class Hub:
    """Bound to the event loop it is used from. `on_state` hears of every change of a server."""

    def __init__(self, on_state: Callable[[ServerHealth], None] | None = None) -> None:
        self._on_state = on_state
        self._owners: dict[str, Owner] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    def configure(self, configs: Sequence[ServerConfig]) -> None:
        """Use exactly these servers; cheap where nothing changed, so that each run may say it."""
        wanted = {config.slug: config for config in configs}
        for slug, owner in list(self._owners.items()):
            if wanted.get(slug) != owner.config:
                self._leave(self._owners.pop(slug))
        for slug, config in wanted.items():
            if slug not in self._owners:
                self._owners[slug] = Owner(config, self._on_state)

    def open_toolbox(self) -> HubToolbox:
        return HubToolbox(list(self._owners.values()))

    def health(self) -> list[ServerHealth]:
        return [owner.health() for owner in self._owners.values()]

    async def aclose(self) -> None:
        """Leave all servers; bounded."""
        for owner in self._owners.values():
            self._leave(owner)
        self._owners.clear()
        if self._leaving:
            await asyncio.wait(self._leaving)

    def _leave(self, owner: Owner) -> None:
        task = asyncio.ensure_future(owner.aclose())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
