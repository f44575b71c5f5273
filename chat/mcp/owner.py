"""One server's connection, held by one task.

Only the owner task enters and leaves the SDK's client (its cancel scopes demand that); any
number of runs call tools on it at the same time.
"""

import asyncio
import contextlib
import contextvars
import logging
import random
import time
from collections.abc import Callable

from mcp import Client

from chat.errors import ServerUnavailable
from chat.mcp.calls import Calls
from chat.mcp.config import ServerConfig
from chat.mcp.connection import Connection, connected
from chat.mcp.definitions import Catalog
from chat.mcp.failures import reason_of, state_of
from chat.mcp.health import ServerHealth, State
from chat.mcp.naming import prepared
from chat.tools import Tool

logger = logging.getLogger(__name__)

LIST_SECONDS = 5
RELIST_PAUSE_SECONDS = 0.2
HEALTHY_SECONDS = 1
RETRY_SECONDS = (0.25, 30)
REFUSED_SECONDS = 300
CLOSE_SECONDS = 4
FAREWELL_SECONDS = 0.25
KNOWN_DOWN_SECONDS = 0.5
SETTLED = frozenset({"ready", "down", "unauthorised"})
TOO_SLOW = "it did not answer in time"


class Owner:
    """`tools()` are the server's usable tools as last listed; `health()` is for admins.

    `calls.call` executes a tool. It raises ServerUnavailable (not executed), ToolLost (perhaps
    executed, never repeated), ToolTimeout, ToolBlocked, or ToolError with the server's own words.
    """

    def __init__(
        self, config: ServerConfig, on_change: Callable[[ServerHealth], None] | None = None
    ) -> None:
        self.config = config
        self.state: State = "unknown"
        self.reason = ""
        self._catalog = Catalog()
        self._tools: tuple[Tool, ...] = ()
        self._on_change = on_change or (lambda health: None)
        self._client: Client | None = None
        self._protocol_version = ""
        self._generation = 0
        self._ready_at = 0.0
        self._is_closed = self._is_broken = self._is_known_down = False
        self._wake = asyncio.Event()
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self.calls = Calls(
            config,
            ready=lambda after: self._ready(config.wait_seconds, after),
            suspect=self._suspect,
            fingerprint=lambda name: self._catalog.fingerprints.get(name),
        )

    async def tools(self) -> tuple[Tool, ...]:
        """The tools; a warm connection costs no round trip. Raises ServerUnavailable."""
        self._ensure_started()
        if not self._is_known_down:
            await self._until(lambda: self.state in SETTLED, self.config.wait_seconds)
        # A server known to be down is asked to hurry, but no run waits long for it.
        await self._ready(KNOWN_DOWN_SECONDS if self._is_known_down else 0)
        return self._tools

    def health(self) -> ServerHealth:
        return ServerHealth(
            slug=self.config.slug,
            state=self.state,
            reason=self._catalog.problem if self.state == "ready" else self.reason,
            protocol_version=self._protocol_version,
            catalog=self._catalog,
        )

    @property
    def why(self) -> str:
        """Why it cannot be used just now."""
        return "it is not in use any more" if self._is_closed else self.reason or TOO_SLOW

    def be_silent(self) -> None:
        """Tell nobody of changes from now on."""
        self._on_change = lambda health: None

    async def aclose(self) -> None:
        """Leave the connection; bounded by twice CLOSE_SECONDS."""
        self._is_closed = True
        self._wake.set()
        if self._task and not self._task.done():
            _, pending = await asyncio.wait({self._task}, timeout=CLOSE_SECONDS)
            for task in pending:
                task.cancel()
                await asyncio.wait({task}, timeout=1)
        await self.calls.settle(CLOSE_SECONDS)

    def _suspect(self, generation: int) -> None:
        """A call saw the connection break: have the owner look at once."""
        if generation == self._generation and self.state == "ready":
            self._wake.set()

    async def _ready(self, seconds: float, after: int = 0) -> tuple[Client, int]:
        """The connection; wait so long for it, and for a newer one than `after`.

        Not for one that needs an authorisation: that takes a person.
        """
        self._ensure_started()
        if self.state != "ready" or self._generation <= after:
            self._wake.set()
            await self._until(lambda: self._is_newer(after), seconds)
        if self.state != "ready" or self._client is None:
            raise ServerUnavailable(f"{self.config.name} cannot be reached: {self.why}.")
        return self._client, self._generation

    def _is_newer(self, after: int) -> bool:
        is_ready = self.state == "ready" and self._generation > after
        return is_ready or self.state == "unauthorised"

    async def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        """The condition holds, or the server is not in use any more, or time is up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: self._is_closed or condition())

    # -- the owner task ----------------------------------------------------------------

    def _ensure_started(self) -> None:
        if self._is_closed:
            raise ServerUnavailable(f"{self.config.name} cannot be reached: {self.why}.")
        if self._task is None or self._task.done():
            # A context of its own: it must not live on in that of the request that came first.
            self._task = asyncio.get_running_loop().create_task(
                self._own(), name=f"mcp {self.config.slug}", context=contextvars.Context()
            )

    async def _own(self) -> None:
        pause = RETRY_SECONDS[0]
        while not self._is_closed:
            await self._move("connecting", self.reason)
            self._ready_at = float("inf")
            failed: State = "down"
            try:
                await self._session()
            except Exception as error:  # Whatever a server does: it is down, and that is all.
                self.reason, failed = reason_of(error), state_of(error)
            self._client = None
            if time.monotonic() - self._ready_at >= HEALTHY_SECONDS:
                pause = RETRY_SECONDS[0]
            elif not self._is_closed:
                # Asking again and again does not make an authorisation; people do.
                is_refused = failed == "unauthorised"
                await self._rest(REFUSED_SECONDS if is_refused else pause, failed)
                pause = min(pause * 2, RETRY_SECONDS[1])
        # For those who still wait; the hub, which left this server, hears nothing of it any more.
        await self._move("unknown", "")

    async def _rest(self, pause: float, state: State) -> None:
        """Between two attempts, so long; a caller may shorten it, but not below the least."""
        self._is_known_down = True
        await self._move(state, self.reason)
        logger.info("MCP server %s is down: %s", self.config.slug, self.reason)
        await asyncio.sleep(RETRY_SECONDS[0])
        await self._sleep(pause * random.uniform(0.5, 1))  # noqa: S311 (no secret)

    async def _session(self) -> None:
        """One connection, from entering to leaving."""
        self._is_broken = False
        async with connected(
            self.config,
            on_end=self._end,
            on_change=self._wake.set,
            on_elicitation=self.calls.questions.on_elicitation,
        ) as connection:
            self._client = connection.client
            await self._take(connection.catalog)
            self._generation += 1
            self._protocol_version = str(connection.client.protocol_version)
            self._ready_at = time.monotonic()
            self._is_known_down = False
            self._wake.clear()
            await self._move("ready", "")
            try:
                await self._keep(connection)
            finally:
                # Each call under way shall learn its own fate: one not sent is not lost.
                self._end()
                await self.calls.settle(FAREWELL_SECONDS)

    async def _keep(self, connection: Connection) -> None:
        """The heartbeat is a full list: a sign of life, new tools, changed definitions."""
        while True:
            await self._sleep(self.config.heartbeat_seconds)
            if self._is_closed:
                return
            if self._is_broken:
                raise ConnectionError("the connection was closed")
            async with asyncio.timeout(LIST_SECONDS):
                catalog = await connection.list_tools()
            if catalog != self._catalog:
                await self._take(catalog)
                self._on_change(self.health())
            # A server that never stops to announce changes is listened to, now and then.
            await asyncio.sleep(RELIST_PAUSE_SECONDS)

    async def _take(self, catalog: Catalog) -> None:
        tools = await asyncio.to_thread(prepared, self.config, catalog)
        self._catalog, self._tools = catalog, tools

    def _end(self) -> None:
        """At once, before callers learn of it: nobody may pick up a dead connection."""
        if self.state == "ready":
            self.state = "connecting"
            self._is_broken = True
            self._wake.set()

    async def _sleep(self, seconds: float) -> None:
        """Until `seconds` have passed or somebody wakes us; many wishes are one."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()

    async def _move(self, state: State, reason: str) -> None:
        self.state, self.reason = state, reason
        self._on_change(self.health())
        async with self._changed:
            self._changed.notify_all()
