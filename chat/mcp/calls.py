"""Calls on one server: side by side, with hard deadlines, repeated only where it is safe."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

import mcp.types
from mcp import Client, MCPError

from chat.agent.ports import OnProgress
from chat.errors import ToolBlocked, ToolError, ToolTimeout
from chat.mcp.abandon import Abandonable
from chat.mcp.config import ServerConfig
from chat.mcp.failures import Fate, classify, failure_of
from chat.mcp.questions import OnQuestion, Questions

# The connection of a generation later than the one given; raises ServerUnavailable.
Ready = Callable[[int], Awaitable[tuple[Client, int]]]
# What the server defines this tool to be just now.
Fingerprint = Callable[[str], str | None]

NEVER = 7 * 24 * 3600


class Patience:
    """A deadline for silence within a deadline for all of it, and a place among the calls at once.

    While a person is asked, both deadlines stand still and the place is free: others are not to
    wait for a person.
    """

    def __init__(self, config: ServerConfig, slots: asyncio.Semaphore) -> None:
        self._loop = asyncio.get_running_loop()
        self._slots = slots
        self._has_slot = self._is_over = False
        self._idle = config.call_timeout_seconds
        self._end = self._loop.time() + max(config.call_total_seconds, self._idle)
        self._questions = 0
        self._asked_at = 0.0
        self._deadline = asyncio.timeout(self._idle)

    async def __aenter__(self) -> Self:
        await self._deadline.__aenter__()
        await self._take_slot()
        return self

    async def __aexit__(self, *error: Any) -> None:
        self._is_over = True
        self._free_slot()
        await self._deadline.__aexit__(*error)

    def heard(self) -> None:
        """The tool has shown that it lives; it may say so after the call was given up."""
        if not (self._questions or self._is_over):
            self._deadline.reschedule(min(self._loop.time() + self._idle, self._end))

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """A person is asked: their time is not the tool's."""
        self._questions += 1
        if self._questions == 1:
            self._asked_at = self._loop.time()
            self._deadline.reschedule(None)
            self._free_slot()
        try:
            yield
        finally:
            self._questions -= 1
            if not self._questions:
                self._end += self._loop.time() - self._asked_at
                self.heard()
        if not self._questions:
            await self._take_slot()

    async def _take_slot(self) -> None:
        await self._slots.acquire()
        self._has_slot = True

    def _free_slot(self) -> None:
        if self._has_slot:
            self._has_slot = False
            self._slots.release()


class Calls:
    """Executes tools through the connections that `ready` gives; `suspect` hears of broken ones."""

    def __init__(
        self,
        config: ServerConfig,
        *,
        ready: Ready,
        suspect: Callable[[int], None],
        fingerprint: Fingerprint,
    ) -> None:
        self.questions = Questions()
        self._config = config
        self._ready = ready
        self._suspect = suspect
        self._fingerprint = fingerprint
        self._slots = asyncio.Semaphore(config.calls_at_once)
        self._under_way = Abandonable()

    async def call(
        self,
        name: str,
        arguments: dict[str, Any],
        *,
        fingerprint: str = "",
        on_progress: OnProgress | None = None,
        on_question: OnQuestion | None = None,
    ) -> mcp.types.CallToolResult:
        """Execute a tool; see Owner.call."""
        patience = Patience(self._config, self._slots)

        async def heard(progress: float, total: float | None, message: str | None) -> None:
            patience.heard()
            if on_progress:
                await on_progress(progress, total, message)

        try:
            # The SDK's own timeout covers neither the write nor the wait for a connection.
            async with patience:
                with self.questions.go_to(on_question, patience.paused):
                    return await self._repeated(name, arguments, fingerprint, heard)
        except TimeoutError as error:
            raise ToolTimeout(
                f"{name} did not answer within {self._config.call_timeout_seconds:g} seconds."
            ) from error

    async def settle(self, seconds: float) -> None:
        """Give what is under way, or was left behind, that long to end by itself."""
        await self._under_way.settle(seconds)

    async def _repeated(
        self, name: str, arguments: dict[str, Any], fingerprint: str, on_progress: OnProgress
    ) -> mcp.types.CallToolResult:
        generation = 0
        for is_last in (False, True):
            client, generation = await self._ready(generation)
            if fingerprint and self._fingerprint(name) != fingerprint:
                raise ToolBlocked(f"The definition of {name} has changed since it was offered.")
            work = client.call_tool(
                name,
                arguments,
                # Our own deadline is the one that counts; it stands still while a person is asked.
                read_timeout_seconds=NEVER,
                progress_callback=on_progress,
            )
            try:
                return await self._under_way.run(work)
            except MCPError as error:
                if not is_last and await self.questions.opened_all(error):
                    generation = 0
                    continue
                fate = classify(error)
                if fate in (Fate.LOST, Fate.UNSENT):
                    self._suspect(generation)
                if fate is not Fate.UNSENT or is_last:
                    raise failure_of(fate, self._config.name, error) from error
                # Provably not executed: one more try, on a new connection.
            except (RuntimeError, ValueError) as error:
                # The SDK found the result to break its own schema, or to be no result at all.
                raise ToolError(f"The tool's result could not be read: {error}") from error
        raise AssertionError("unreachable")
