"""The demo MCP server: a real one, with tools that need no account. Streamable HTTP on loopback.

`python -m chat.mcp.demo.server --port 0` prints `READY <url>` when it listens.
"""

import argparse
import asyncio
import functools
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Annotated

import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import Field

from chat.mcp.demo import bell, calculator, clock, docs, units
from chat.mcp.demo.refused import Refused

READ_ONLY = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True)
WRITES = ToolAnnotations(read_only_hint=False, destructive_hint=False)
DESTROYS = ToolAnnotations(read_only_hint=False, destructive_hint=True)
MAX_SECONDS = 120
Zone = Annotated[
    str, Field(description="A city or an IANA name: Tokyo, Europe/Berlin", max_length=80)
]
Unit = Annotated[str, Field(description="A unit's name or symbol: km, miles, °F", max_length=40)]

server = MCPServer("Ferryline demo tools", version="1", log_level="ERROR")


def tool(
    title: str, hints: ToolAnnotations = READ_ONLY
) -> Callable[[Callable[..., str]], Callable[..., str]]:
    """Offer a function as a tool. What it refuses is an error in its own words."""

    def offer(function: Callable[..., str]) -> Callable[..., str]:
        @functools.wraps(function)
        def answer(**arguments: object) -> CallToolResult:
            try:
                return _said(function(**arguments))
            except Refused as refusal:
                return _said(str(refusal), is_error=True)

        server.add_tool(answer, title=title, annotations=hints, structured_output=False)
        return function

    return offer


def _said(text: str, *, is_error: bool = False) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=is_error)


@tool("Current time")
def current_time(timezone: Zone) -> str:
    """The current date and time in a city or time zone."""
    return clock.current_time(timezone)


@tool("Convert a time")
def convert_time(
    time: Annotated[str, Field(description="A time of day: 15:30 or 3pm", max_length=20)],
    from_timezone: Zone,
    to_timezone: Zone,
) -> str:
    """What a time of day in one place is in another."""
    return clock.convert_time(time, from_timezone, to_timezone)


@tool("Calculator")
def calculate(
    expression: Annotated[str, Field(description="For example 18% of 249.90, or sqrt(2) * 3")],
) -> str:
    """Calculate an expression with + - * / // % ** and brackets, exactly."""
    return f"{expression.strip()} = {calculator.calculate(expression)}"


@tool("Convert units")
def convert_units(value: float, from_unit: Unit, to_unit: Unit) -> str:
    """Convert lengths, masses, volumes, speeds, areas, temperatures, times and data sizes."""
    return units.convert(value, from_unit, to_unit)


@tool("Search the docs")
def search_docs(
    query: Annotated[str, Field(description="Words to look for", max_length=200)],
    limit: Annotated[int, Field(ge=1, le=20)] = 5,
) -> str:
    """Search in the documentation of this chat server."""
    return docs.search(query, limit)


@tool("Ring the bell", WRITES)
def ring_bell(times: Annotated[int, Field(ge=1, le=100)] = 1) -> str:
    """Ring the demo bell, and tell how often it has rung."""
    return bell.ring(times)


@tool("Reset the bell", DESTROYS)
def reset_bell() -> str:
    """Forget how often the demo bell has rung. To see what asking before a call looks like."""
    return bell.reset()


@server.tool(title="Slow task", annotations=READ_ONLY, structured_output=False)
async def slow_task(
    context: Context,
    seconds: Annotated[float, Field(gt=0, le=MAX_SECONDS)] = 5,
    steps: Annotated[int, Field(ge=1, le=100)] = 5,
) -> str:
    """Take a while and report progress; to see what waiting and stopping look like."""
    for step in range(1, steps + 1):
        await asyncio.sleep(seconds / steps)
        await context.report_progress(step, steps, f"Step {step} of {steps}")
    return f"Done: {steps} steps in {seconds:g} seconds."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--exit-on-stdin-eof", action="store_true", help="end with the parent")
    options = parser.parse_args()
    listening = _listen(options.port)
    config = uvicorn.Config(
        server.streamable_http_app(), log_level="error", timeout_graceful_shutdown=1
    )
    if options.exit_on_stdin_eof:
        # Not even a process that hangs may outlive its parent.
        threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.stdout.write(f"READY http://127.0.0.1:{listening.getsockname()[1]}/mcp\n")
    sys.stdout.flush()
    uvicorn.Server(config).run(sockets=[listening])


def _listen(port: int) -> socket.socket:
    # With its protocol named: else asyncio leaves Nagle's algorithm on, and each answer of two
    # writes is 40 ms late.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(128)
    return listening


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(2)
    os._exit(0)


if __name__ == "__main__":
    main()
