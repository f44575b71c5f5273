"""All MCP servers of this process: one owner task each, started on first use.

A server that people authorise for themselves has one for each of them, until nobody has used it
for IDLE_SECONDS.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from functools import partial
from weakref import WeakKeyDictionary

from chat.mcp.config import ServerConfig, Tokens
from chat.mcp.health import ServerHealth
from chat.mcp.owner import Owner
from chat.mcp.toolbox import Choose, HubToolbox, all_of

IDLE_SECONDS = 600
# Of a server that each person authorises, what is true for everybody.
OF_INTEREST = {"ready", "down"}
Key = tuple[str, Tokens | None]


class Hub:
    """Bound to the event loop it is used from. `on_state` hears of every change of a server, and
    last of all that a server which is not used any more is "unknown". What concerns one person
    alone, it does not hear.
    """

    def __init__(
        self,
        on_state: Callable[[ServerHealth], None] | None = None,
        *,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._on_state = on_state or (lambda health: None)
        self._idle_seconds = idle_seconds
        self._owners: dict[Key, Owner] = {}
        # A run that waits for a person still has its toolbox: what is in one is not idle.
        self._lent: WeakKeyDictionary[HubToolbox, list[Owner]] = WeakKeyDictionary()
        self._used_at: dict[Key, float] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    def configure(self, configs: Sequence[ServerConfig]) -> None:
        """Use exactly these servers; cheap where nothing changed, so that each run may say it.

        Connections with personal authorisations that are not among these stay for a while: they
        are those of other people.
        """
        wanted = {_key(config): config for config in configs}
        for key, owner in list(self._owners.items()):
            if wanted.get(key, owner.config if owner.config.is_personal else None) != owner.config:
                self._leave(key)
        for key, config in wanted.items():
            if key not in self._owners:
                self._owners[key] = Owner(config, partial(self._hear, config))
            if config.is_personal:
                self._used_at[key] = asyncio.get_running_loop().time()
        if self._used_at and self._sweep is None:
            self._sweep_later()

    def open_toolbox(
        self,
        slugs: Collection[str] | None = None,
        choose: Choose = all_of,
        personal: Collection[Tokens] = (),
    ) -> HubToolbox:
        """The tools of all servers, or of those with these slugs, that `choose` lets pass.

        Of connections with personal authorisations, only those with one of `personal`.
        """
        chosen = [
            owner
            for (slug, tokens), owner in self._owners.items()
            if (slugs is None or slug in slugs) and (tokens is None or tokens in personal)
        ]
        toolbox = HubToolbox(chosen, choose)
        self._lent[toolbox] = chosen
        return toolbox

    def health(self) -> list[ServerHealth]:
        return [owner.health() for owner in self._owners.values()]

    async def aclose(self) -> None:
        """Leave all servers; bounded. Said to nobody: it says nothing about the servers."""
        self._on_state = lambda health: None
        if self._sweep:
            self._sweep.cancel()
        for key in list(self._owners):
            self._leave(key)
        if self._leaving:
            await asyncio.wait(self._leaving)

    def _leave(self, key: Key) -> None:
        owner = self._owners.pop(key)
        self._used_at.pop(key, None)
        # Said now, and nothing later: its successor may speak first.
        owner.be_silent()
        self._hear(owner.config, ServerHealth(slug=owner.config.slug, state="unknown"))
        task = asyncio.ensure_future(owner.aclose())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _hear(self, config: ServerConfig, health: ServerHealth) -> None:
        if not config.is_personal or health.state in OF_INTEREST:
            self._on_state(health)

    def _sweep_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweep = loop.call_later(self._idle_seconds / 10, self._leave_idle)

    def _leave_idle(self) -> None:
        now = asyncio.get_running_loop().time()
        lent = {id(owner) for owners in self._lent.values() for owner in owners}
        for key, used_at in list(self._used_at.items()):
            if id(self._owners[key]) in lent:
                self._used_at[key] = now
            elif now - used_at >= self._idle_seconds:
                self._leave(key)
        self._sweep = None
        if self._used_at:
            self._sweep_later()


def _key(config: ServerConfig) -> Key:
    return config.slug, config.tokens if config.is_personal else None
