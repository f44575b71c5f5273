"""One connection to one server: entered, listed and listened to through the SDK."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import mcp.types
from mcp import Client
from mcp.client import Transport
from mcp.client.session import ElicitationFnT
from mcp.client.streamable_http import streamable_http_client

from chat.mcp.config import ServerConfig
from chat.mcp.definitions import Catalog
from chat.mcp.http.isolation import MAX_BODY_BYTES, IsolatingTransport
from chat.mcp.http.network import Guard, GuardedTransport, origin_of
from chat.mcp.listing import Listing
from chat.mcp.oauth.bearer import BearerTransport
from chat.mcp.outputs import problem_of
from chat.mcp.stdio.transport import stdio_transport
from chat.mcp.vetting import MAX_LISTED
from chat.mcp.watched import watched

MAX_PAGES = 50
REAP_SECONDS = 2
CLIENT = mcp.types.Implementation(name="ferryline", version="1")


@contextlib.asynccontextmanager
async def connected(
    config: ServerConfig,
    *,
    on_end: Callable[[], None],
    on_change: Callable[[], None],
    on_elicitation: ElicitationFnT,
) -> AsyncIterator["Connection"]:
    """Connect and list the tools within the connect timeout. Enter and leave in one task.

    `on_end` is called before anybody else can see that the connection is over; `on_change`
    when the server says that its tools have changed.
    """
    async with contextlib.AsyncExitStack() as stack:
        connection = Connection(config, on_change, on_elicitation)
        # Not anyio.fail_after: its scope would have to be left before the client's.
        async with asyncio.timeout(config.connect_timeout_seconds):
            await connection.enter(stack, on_end)
            await connection.list_tools()
        connection.arm()
        listening = asyncio.ensure_future(connection.listen())
        stack.push_async_callback(_reap, listening)
        stack.callback(on_end)
        yield connection


class Connection:
    """`catalog` is what `list_tools` saw last."""

    client: Client

    def __init__(
        self, config: ServerConfig, on_change: Callable[[], None], on_elicitation: ElicitationFnT
    ) -> None:
        self.catalog = Catalog()
        self._config = config
        self._on_change = on_change
        self._on_elicitation = on_elicitation
        self._broken: list[str] = []
        self._isolation: IsolatingTransport | None = None

    async def enter(self, stack: contextlib.AsyncExitStack, on_end: Callable[[], None]) -> None:
        """Over HTTP, or with a child process of ours where the server is a command."""
        config = self._config
        transport = stdio_transport(config) if config.command else await self._open_http(stack)
        client = Client(
            watched(transport, on_end=on_end, on_broken=self._broken.extend),
            cache=None,
            read_timeout_seconds=config.connect_timeout_seconds,
            message_handler=self._on_message,
            elicitation_callback=self._on_elicitation,
            client_info=CLIENT,
        )
        self.client = await stack.enter_async_context(client)
        # In place of the SDK's own; see outputs.py.
        self.client.session.validate_tool_result = self._check  # type: ignore[method-assign]

    async def _check(self, name: str, result: mcp.types.CallToolResult) -> None:
        """Raises RuntimeError for a result that is not what the tool's definition promises."""
        if schema := self.catalog.output_schema(name):
            problem = await asyncio.to_thread(problem_of, schema, result.structured_content)
            if problem:
                raise RuntimeError(problem)

    def arm(self) -> None:
        """From now on the failure of one request is its own and not that of the connection."""
        if self._isolation:
            self._isolation.is_armed = True

    async def _open_http(self, stack: contextlib.AsyncExitStack) -> Transport:
        config = self._config
        limits = httpx2.Limits(max_connections=config.calls_at_once + 8)
        network: httpx2.AsyncBaseTransport = GuardedTransport(guard_of(config), limits=limits)
        if config.tokens:
            network = BearerTransport(network, config.tokens)
        isolation = IsolatingTransport(network)
        http = await stack.enter_async_context(
            httpx2.AsyncClient(
                transport=isolation,
                headers=dict(config.headers),
                # The proxies of this machine are no part of the deployment's configuration.
                trust_env=False,
                timeout=httpx2.Timeout(
                    config.connect_timeout_seconds, read=config.call_total_seconds + 5
                ),
            )
        )
        self._isolation = isolation
        return streamable_http_client(
            config.url, http_client=http, max_sse_event_size=MAX_BODY_BYTES
        )

    async def list_tools(self) -> Catalog:
        """All pages. Raises what the SDK raises, and ConnectionError for a list without end."""
        listing, count = Listing(), 0
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            self._broken.clear()
            page = await self.client.list_tools(cursor=cursor, cache_mode="bypass")
            count += len(page.tools)
            if count > MAX_LISTED:
                raise ConnectionError("its list of tools is too long")
            await asyncio.to_thread(listing.add, page.tools, tuple(self._broken))
            cursor = page.next_cursor
            if cursor is None:
                self.catalog = await asyncio.to_thread(listing.catalog)
                return self.catalog
        raise ConnectionError("its list of tools does not end")

    async def listen(self) -> None:
        """News of changed tools, since 2026-07-28; before it they come as messages."""
        tools = self.client.server_capabilities.tools
        is_told = str(self.client.protocol_version) >= "2026" and tools and tools.list_changed
        while is_told:
            # However the subscription ends, the heartbeat has the last word on the connection.
            with contextlib.suppress(Exception):
                async with self.client.listen(tools_list_changed=True) as changes:
                    async for _ in changes:
                        self._on_change()
            self._on_change()
            await asyncio.sleep(self._config.heartbeat_seconds)

    async def _on_message(self, message: Any) -> None:
        if isinstance(message, mcp.types.ToolListChangedNotification):
            self._on_change()


def guard_of(config: ServerConfig) -> Guard:
    """Only the address that was configured may be private, nothing that the server names later."""
    trusted = {origin_of(config.url)} if config.may_be_private else set()
    return Guard(trusted=frozenset(trusted))


async def _reap(task: asyncio.Future[None]) -> None:
    task.cancel()
    await asyncio.wait({task}, timeout=REAP_SECONDS)
