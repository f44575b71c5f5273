"""python -m tests.bench.tools: what tools cost a run that uses none, from question to first token.

Two sites take turns: one without servers, one with 5 warm MCP servers of 20 tools each. The model
is told of all tools, as it must be, and answers at once.
"""

import asyncio
import json
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp

from tests.bench import servers
from tests.bench.load import read
from tests.bench.seen import Seen
from tests.bench.servers import Running
from tests.servers.bare_mcp_server import BareMCPServer

SERVERS, TOOLS, PAIRS = 5, 20, 150
QUESTION = {"message": "tokens=1 delay=0 calls=0"}


def definitions(server: int) -> list[dict[str, Any]]:
    schema = {
        "type": "object",
        "properties": {
            name: {"type": "string", "description": "What to look for, in plain words."}
            for name in ("query", "language", "country")
        },
    }
    text = "Looks something up in a collection of many things, and says where it was found. " * 2
    return [
        {"name": f"look_up_{server}_{number}", "description": text, "inputSchema": schema}
        for number in range(TOOLS)
    ]


def config_of(folder: Path, mcp_servers: list[BareMCPServer]) -> str:
    entries = {f"server-{at}": {"url": one.url} for at, one in enumerate(mcp_servers)}
    path = folder / "mcp.json"
    path.write_text(json.dumps({"mcpServers": entries}))
    return str(path)


async def first_token(session: aiohttp.ClientSession, site: Running) -> float:
    """Milliseconds from the question to the first piece of the answer."""
    seen = Seen()
    await read(session, site.url, site.token, QUESTION, seen)
    assert seen.is_right(1), seen.error
    return (seen.relayed()[0][1] - seen.asked_at) / 1e6


async def compare(sites: list[Running], mcp_servers: list[BareMCPServer]) -> None:
    async with aiohttp.ClientSession() as session:
        for site in sites:
            for _ in range(20):
                await first_token(session, site)
        lists = listed(mcp_servers)
        pairs = [[await first_token(session, site) for site in sites] for _ in range(PAIRS)]
        lists = listed(mcp_servers) - lists
    for name, took in zip(("no tools", "100 tools"), zip(*pairs, strict=True), strict=True):
        print(f"{name:<12} first token p50 {statistics.median(took):6.1f} ms")
    print(f"difference   p50 {statistics.median(b - a for a, b in pairs):+.1f} ms")
    print(f"lists asked for meanwhile: {lists} (heartbeats only), runs: {PAIRS}")


def listed(mcp_servers: list[BareMCPServer]) -> int:
    return sum(one.methods.count("tools/list") for one in mcp_servers)


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        base_url = stack.enter_context(servers.model())
        mcp_servers = [
            stack.enter_context(BareMCPServer(definitions(number))) for number in range(SERVERS)
        ]
        configs = {"none": "", "tools": config_of(folder, mcp_servers)}
        sites = []
        for name, config in configs.items():
            (folder / name).mkdir()
            site = servers.ferryline(
                "daphne", folder / name, LLM_BASE_URL=base_url, MCP_CONFIG=config
            )
            sites.append(stack.enter_context(site))
        asyncio.run(compare(sites, mcp_servers))


if __name__ == "__main__":
    main()
