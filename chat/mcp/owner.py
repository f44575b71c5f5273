"""One server's connection, held by one task. See docs/decisions/0007-one-owner-task.md.

Only the owner task enters and leaves the SDK's client (its cancel scopes demand that); any
number of runs call tools on it at the same time.
"""

import asyncio
import contextlib
import contextvars
import logging
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import httpx2
import mcp.types
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from chat.agent.ports import OnProgress
from chat.errors import ServerUnavailable, ToolError, ToolLost, ToolTimeout
from chat.mcp.config import ServerConfig, ServerHealth, State
from chat.mcp.failures import Fate, classify, reason_of
from chat.mcp.transport import IsolatingTransport, watched

logger = logging.getLogger(__name__)
T = TypeVar("T")

MAX_PAGES = 50
LIST_SECONDS = 5
RETRY_SECONDS = (0.25, 30)
CLOSE_SECONDS = 4
KNOWN_DOWN_SECONDS = 0.5
CLIENT = mcp.types.Implementation(name="ferryline", version="1")


class Owner:
    """`definitions` are the server's tools as last listed; `state` is what an admin reads."""

    def __init__(
        self, config: ServerConfig, on_change: Callable[[ServerHealth], None] | None = None
    ) -> None:
        self.config = config
        self.definitions: list[mcp.types.Tool] = []
        self.state: State = "unknown"
        self.reason = ""
        self._on_change = on_change or (lambda health: None)
        self._client: Client | None = None
        self._protocol_version = ""
        self._generation = 0
        self._is_closed = False
        self._is_broken = False
        self._has_failed = False
        self._wake = asyncio.Event()
        self._changed = asyncio.Condition()
        self._slots = asyncio.Semaphore(config.calls_at_once)
        self._abandoned: set[asyncio.Task[Any]] = set()
        self._task: asyncio.Task[None] | None = None

    # -- for runs, from any task -------------------------------------------------------

    async def catalog(self) -> list[mcp.types.Tool]:
        """The tools; a warm connection costs no round trip. Raises ServerUnavailable."""
        # A server known to be down is asked to hurry, but no run waits for it again.
        seconds = KNOWN_DOWN_SECONDS if self._has_failed else self.config.wait_seconds
        await self._ready(seconds)
        return self.definitions

    async def call(
        self, name: str, arguments: dict[str, Any], on_progress: OnProgress | None = None
    ) -> mcp.types.CallToolResult:
        """Execute a tool. Raises ServerUnavailable (not executed), ToolLost (perhaps executed,
        never repeated), ToolTimeout, or ToolError with the server's own words.
        """
        seconds = self.config.call_timeout_seconds
        try:
            # The SDK's own timeout covers neither the write nor the wait for a connection.
            async with asyncio.timeout(seconds), self._slots:
                return await self._call(name, arguments, on_progress)
        except TimeoutError as error:
            raise ToolTimeout(f"{name} did not answer within {seconds:g} seconds.") from error

    def health(self) -> ServerHealth:
        return ServerHealth(
            slug=self.config.slug,
            state=self.state,
            reason=self.reason,
            protocol_version=self._protocol_version,
            tool_names=tuple(definition.name for definition in self.definitions),
        )

    async def aclose(self) -> None:
        """Leave the connection; bounded by CLOSE_SECONDS."""
        self._is_closed = True
        self._wake.set()
        if self._task and not self._task.done():
            _, pending = await asyncio.wait({self._task}, timeout=CLOSE_SECONDS)
            for task in pending:
                task.cancel()
                await asyncio.wait({task}, timeout=1)

    # -- a call ------------------------------------------------------------------------

    async def _call(
        self, name: str, arguments: dict[str, Any], on_progress: OnProgress | None
    ) -> mcp.types.CallToolResult:
        for is_last in (False, True):
            client, generation = await self._ready(self.config.wait_seconds)
            try:
                return await self._abandonable(
                    client.call_tool(
                        name,
                        arguments,
                        read_timeout_seconds=self.config.call_timeout_seconds,
                        progress_callback=on_progress,
                    )
                )
            except MCPError as error:
                fate = classify(error)
                if fate in (Fate.LOST, Fate.UNSENT):
                    self._suspect(generation, error)
                if fate is not Fate.UNSENT or is_last:
                    raise self._failure(fate, error) from error
                # Provably not executed: one more try, on a new connection.
                await self._next_generation(generation)
            except (RuntimeError, ValueError) as error:
                # The SDK found the result to break its own schema, or to be no result at all.
                raise ToolError(f"The tool's result could not be read: {error}") from error
        raise AssertionError("unreachable")

    def _failure(self, fate: Fate, error: MCPError) -> ToolError:
        name = self.config.name
        match fate:
            case Fate.TIMEOUT:
                return ToolTimeout(f"{name} did not answer in time.")
            case Fate.LOST:
                return ToolLost(f"The connection to {name} broke; the call's outcome is unknown.")
            case Fate.UNSENT:
                return ServerUnavailable(f"{name} cannot be reached: {error.message}.")
            case _:
                return ToolError(error.message)

    async def _abandonable(self, call: Coroutine[Any, Any, T]) -> T:
        """Await the call, but never the SDK's shielded farewell to it (up to 5 s)."""
        task = asyncio.ensure_future(call)
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            self._abandoned.add(task)
            task.add_done_callback(self._forget)
            raise
        return task.result()

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._abandoned.discard(task)
        if not task.cancelled():
            task.exception()

    def _suspect(self, generation: int, error: Exception) -> None:
        """A call saw the connection break: have the owner look at once."""
        if generation == self._generation and self.state == "ready":
            self.reason = reason_of(error)
            self._wake.set()

    async def _ready(self, seconds: float) -> tuple[Client, int]:
        self._ensure_started()
        if self.state != "ready":
            self._wake.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds), self._changed:
                    await self._changed.wait_for(lambda: self.state == "ready" or self._is_closed)
        if self.state != "ready" or self._client is None:
            why = f": {self.reason}" if self.reason else ""
            raise ServerUnavailable(f"{self.config.name} cannot be reached{why}.")
        return self._client, self._generation

    async def _next_generation(self, generation: int) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.config.wait_seconds), self._changed:
                await self._changed.wait_for(
                    lambda: self._generation > generation and self.state == "ready"
                )

    # -- the owner task ----------------------------------------------------------------

    def _ensure_started(self) -> None:
        if self._is_closed:
            raise ServerUnavailable(f"{self.config.name} is not in use any more.")
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(
                self._own(), name=f"mcp {self.config.slug}", context=contextvars.Context()
            )

    async def _own(self) -> None:
        pause = RETRY_SECONDS[0]
        while not self._is_closed:
            await self._move("connecting", self.reason)
            began = time.monotonic()
            try:
                await self._session()
            except Exception as error:  # Whatever a server does: it is down, and that is all.
                self.reason = reason_of(error)
                self._has_failed = True
            self._client = None
            if self._is_closed:
                break
            if time.monotonic() - began > self.config.heartbeat_seconds:
                pause = RETRY_SECONDS[0]
            await self._move("down", self.reason)
            logger.info("MCP server %s is down: %s", self.config.slug, self.reason)
            await asyncio.sleep(min(pause, RETRY_SECONDS[0]))
            await self._sleep(pause * random.uniform(0.5, 1))  # noqa: S311 (no secret)
            pause = min(pause * 2, RETRY_SECONDS[1])
        await self._move("unknown", "")

    async def _session(self) -> None:
        """One connection, from entering to leaving."""
        self._is_broken = False
        async with contextlib.AsyncExitStack() as stack:
            # Not anyio.fail_after: its scope would have to be left before the client's.
            async with asyncio.timeout(self.config.connect_timeout_seconds):
                client, isolation = await self._enter(stack)
                self.definitions = await self._list(client)
            isolation.is_armed = True
            stack.callback(self._end)
            if self._has_subscriptions(client):
                listening = asyncio.ensure_future(self._listen(client))
                stack.push_async_callback(_reap, listening)
            self._client, self._generation = client, self._generation + 1
            self._protocol_version = str(client.protocol_version)
            self._wake.clear()
            self._has_failed = False
            await self._move("ready", "")
            await self._keep(client)

    async def _enter(self, stack: contextlib.AsyncExitStack) -> tuple[Client, IsolatingTransport]:
        config = self.config
        limits = httpx2.Limits(max_connections=config.calls_at_once + 8)
        isolation = IsolatingTransport(httpx2.AsyncHTTPTransport(limits=limits))
        http = await stack.enter_async_context(
            httpx2.AsyncClient(
                transport=isolation,
                headers=dict(config.headers),
                # The proxies of this machine are no part of the deployment's configuration.
                trust_env=False,
                timeout=httpx2.Timeout(
                    config.connect_timeout_seconds, read=config.call_timeout_seconds + 5
                ),
            )
        )
        transport = streamable_http_client(config.url, http_client=http)
        client = Client(
            watched(transport, self._end),  # type: ignore[arg-type]
            cache=None,
            read_timeout_seconds=config.connect_timeout_seconds,
            message_handler=self._on_message,
            client_info=CLIENT,
        )
        return await stack.enter_async_context(client), isolation

    async def _keep(self, client: Client) -> None:
        """The heartbeat is a full list: a sign of life, new tools, changed definitions."""
        while not self._is_closed:
            await self._sleep(self.config.heartbeat_seconds)
            if self._is_closed:
                return
            if self._is_broken:
                raise ConnectionError("the connection was closed")
            async with asyncio.timeout(LIST_SECONDS):
                definitions = await self._list(client)
            if definitions != self.definitions:
                self.definitions = definitions
                self._on_change(self.health())

    async def _list(self, client: Client) -> list[mcp.types.Tool]:
        found: dict[str, mcp.types.Tool] = {}
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = await client.list_tools(cursor=cursor, cache_mode="bypass")
            for definition in page.tools:
                found.setdefault(definition.name, definition)
            cursor = page.next_cursor
            if cursor is None:
                return list(found.values())
        raise ConnectionError("its list of tools does not end")

    def _has_subscriptions(self, client: Client) -> bool:
        tools = client.server_capabilities.tools
        return str(client.protocol_version) >= "2026" and bool(tools and tools.list_changed)

    async def _listen(self, client: Client) -> None:
        """News of changed tools, since 2026-07-28; the heartbeat covers for it if it breaks."""
        with contextlib.suppress(Exception):
            async with client.listen(tools_list_changed=True) as changes:
                async for _ in changes:
                    self._wake.set()

    async def _on_message(self, message: Any) -> None:
        if isinstance(message, mcp.types.ToolListChangedNotification):
            self._wake.set()

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


async def _reap(task: asyncio.Future[None]) -> None:
    task.cancel()
    await asyncio.wait({task}, timeout=2)
