"""All MCP servers of this process: one owner task each, started on first use."""

import asyncio
from collections.abc import Callable, Collection, Sequence

from chat.mcp.config import ServerConfig
from chat.mcp.health import ServerHealth
from chat.mcp.owner import Owner
from chat.mcp.toolbox import HubToolbox, MayOffer


class Hub:
    """Bound to the event loop it is used from. `on_state` hears of every change of a server, and
    last of all that a server which is not used any more is "unknown".
    """

    def __init__(self, on_state: Callable[[ServerHealth], None] | None = None) -> None:
        self._on_state = on_state or (lambda health: None)
        self._owners: dict[str, Owner] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    def configure(self, configs: Sequence[ServerConfig]) -> None:
        """Use exactly these servers; cheap where nothing changed, so that each run may say it."""
        wanted = {config.slug: config for config in configs}
        for slug, owner in list(self._owners.items()):
            if wanted.get(slug) != owner.config:
                self._leave(slug)
        for slug, config in wanted.items():
            if slug not in self._owners:
                self._owners[slug] = Owner(config, self._on_state)

    def open_toolbox(
        self, slugs: Collection[str] | None = None, may_offer: MayOffer = lambda tool: True
    ) -> HubToolbox:
        """The tools of all servers, or of those with these slugs, that `may_offer` lets pass."""
        owners = self._owners.values()
        chosen = [o for o in owners if slugs is None or o.config.slug in slugs]
        return HubToolbox(chosen, may_offer)

    def health(self) -> list[ServerHealth]:
        return [owner.health() for owner in self._owners.values()]

    async def aclose(self) -> None:
        """Leave all servers; bounded. Said to nobody: it says nothing about the servers."""
        self._on_state = lambda health: None
        for slug in list(self._owners):
            self._leave(slug)
        if self._leaving:
            await asyncio.wait(self._leaving)

    def _leave(self, slug: str) -> None:
        owner = self._owners.pop(slug)
        # Said now, and nothing later: its successor may speak first.
        owner.be_silent()
        self._on_state(ServerHealth(slug=slug, state="unknown"))
        task = asyncio.ensure_future(owner.aclose())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
