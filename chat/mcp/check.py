"""One look at an MCP server: does it answer, what does it offer, does a tool of it work."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import mcp.types
from mcp import Client

from chat.errors import ServerUnavailable, ToolError
from chat.mcp.abandon import Abandonable
from chat.mcp.calls import Calls
from chat.mcp.config import ServerConfig
from chat.mcp.connection import connected
from chat.mcp.definitions import Catalog, to_json
from chat.mcp.failures import MAX_REASON_CHARACTERS, reason_of, state_of
from chat.mcp.health import State
from chat.mcp.results import to_result
from chat.text import say, visible
from chat.tools import ToolCall, ToolResult

CHECK_SECONDS = 15
CALL_SECONDS = 8
# For its farewell, which nobody else would wait for.
CLOSE_SECONDS = 4
MAX_LINE_CHARACTERS = 120
HINTS = {
    ("readOnlyHint", True): "only reads",
    ("destructiveHint", True): "may destroy",
    ("destructiveHint", False): "destroys nothing",
    ("idempotentHint", True): "may be repeated",
    ("openWorldHint", True): "reaches outside",
    ("openWorldHint", False): "stays inside",
}


@dataclass(kw_only=True, slots=True)
class Findings:
    """What was seen. `failure` is one sentence; empty where all that was asked for worked.

    `seconds`: until it was connected and had listed its tools; `list_seconds`: for another list.
    """

    name: str
    state: State = "unknown"
    failure: str = ""
    # What follows is the farewell, and its failure no finding.
    is_complete: bool = False
    implementation: str = ""
    protocol_version: str = ""
    seconds: float = 0
    list_seconds: float | None = None
    catalog: Catalog = field(default_factory=Catalog)
    result: ToolResult | None = None
    call_seconds: float = 0

    @property
    def is_good(self) -> bool:
        return not self.failure

    def lines(self) -> Iterator[str]:
        """For people: what it is and how quick it is. Neither its failure nor its tools."""
        if self.state == "ready":
            name = self.implementation or "a server without a name"
            yield say(
                "It is {name} and speaks MCP {version}.",
                name=name,
                version=era(self.protocol_version),
            )
            yield say(
                "Connected and listed its tools after {seconds} s.", seconds=f"{self.seconds:.2f}"
            )
        if self.list_seconds is not None:
            yield say(
                "A list of its tools takes {time} ms.", time=f"{self.list_seconds * 1000:.0f}"
            )
            catalog = self.catalog
            yield say(
                "Tools: {count}, set aside: {aside}.",
                count=len(catalog.definitions),
                aside=len(catalog.set_aside),
            )

    def tools(self) -> Iterator[tuple[str, str]]:
        """The name of each usable tool, and what it says about itself in one line."""
        for definition in self.catalog.definitions:
            yield line(definition.name), summary(definition)


async def check(config: ServerConfig, call: ToolCall | None = None) -> Findings:
    """Connect, list and, if asked to, call a tool once.

    Takes CHECK_SECONDS + CLOSE_SECONDS at most; never raises for what a server does.
    """
    found, began = Findings(name=config.name), time.monotonic()
    looking = Abandonable()
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await looking.run(_look(config, call, found))
    except Exception as error:  # Whatever a server does: it is a finding.
        if not found.is_complete:
            reason = line(reason_of(error), MAX_REASON_CHARACTERS)
            found.failure = say(
                "{server} cannot be used: {reason}.", server=config.name, reason=reason
            )
            found.state = state_of(error)
    found.seconds = found.seconds or time.monotonic() - began
    await looking.settle(CLOSE_SECONDS)
    return found


async def _look(config: ServerConfig, call: ToolCall | None, found: Findings) -> None:
    began = time.monotonic()
    clients: list[Client] = []

    async def ready(after: int) -> tuple[Client, int]:
        if after:
            raise ServerUnavailable(say("The connection to {server} broke.", server=config.name))
        return clients[0], 1

    deadline = min(config.call_timeout_seconds, CALL_SECONDS)
    calls = Calls(
        replace(config, call_timeout_seconds=deadline, call_total_seconds=deadline),
        ready=ready,
        suspect=lambda generation: None,
        fingerprint=lambda name: None,
    )
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(
            connected(
                config,
                on_end=lambda: None,
                on_change=lambda: None,
                on_elicitation=calls.questions.on_elicitation,
            )
        )
        clients.append(connection.client)
        found.seconds, found.state = time.monotonic() - began, "ready"
        found.catalog = connection.catalog
        found.protocol_version = str(connection.client.protocol_version)
        found.implementation = _implementation(connection.client)
        began = time.monotonic()
        await connection.list_tools()
        found.list_seconds = time.monotonic() - began
        if call:
            await _try(calls, call, found)
        found.is_complete = True


async def _try(calls: Calls, call: ToolCall, found: Findings) -> None:
    if call.name not in found.catalog.fingerprints:
        found.failure = f"{found.name} has no usable tool named {call.name!r}."
        return
    began = time.monotonic()
    try:
        found.result = to_result(await calls.call(call.name, dict(call.arguments)))
    except ToolError as error:
        found.failure = line(str(error), MAX_REASON_CHARACTERS)
        return
    found.call_seconds = time.monotonic() - began
    if found.result.is_error:
        found.failure = f"{line(call.name)} has answered with an error."


def era(protocol_version: str) -> str:
    """A version of the protocol with what it means for a connection."""
    if not protocol_version:
        return ""
    return f"{protocol_version} ({'stateless' if protocol_version >= '2026' else 'sessions'})"


def hints(annotations: Mapping[str, Any]) -> list[str]:
    """What a server claims of a tool, in words. It may suggest; it grants nothing."""
    return [words for (name, value), words in HINTS.items() if annotations.get(name) is value]


def summary(definition: mcp.types.Tool) -> str:
    """Title, first line of the description and hints of a tool, cleaned and short."""
    first = next(iter((definition.description or "").strip().splitlines()), "")
    said = ", ".join(hints(to_json(definition).get("annotations") or {}))
    parts = (line(definition.title or ""), line(first), f"[{said}]" if said else "")
    return " · ".join(part for part in parts if part)


def line(text: str, limit: int = MAX_LINE_CHARACTERS) -> str:
    """Text of a server on one line, fit for a terminal."""
    one = " ".join(visible(text, 2 * limit).split())
    return one if len(one) <= limit else one[: limit - 1] + "…"


def _implementation(client: Client) -> str:
    info = client.server_info
    return line(f"{info.name} {info.version}") if info else ""
