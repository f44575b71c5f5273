"""`make bench-tools`: what tools cost a run that uses none, from question to first token.

Two sites take turns: one without servers, one with 5 warm MCP servers of 20 tools each. The model
answers at once; it is told of all tools, as it must be, and reads the request in this process.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp

from tests.servers.bare_mcp_server import BareMCPServer

SERVERS, TOOLS, PAIRS = 5, 20, 150
ROOT = Path(__file__).parent.parent
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
DELTA = {"choices": [{"index": 0, "delta": {"content": "Good."}, "finish_reason": "stop"}]}


async def model(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers at once; reads the whole request first, as a model must."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r\n")[0]))
    writer.write(STREAM + f"data: {json.dumps(DELTA)}\n\ndata: [DONE]\n\n".encode())
    await writer.drain()
    writer.close()


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


class BenchSite:
    """A site of its own, on a database of its own."""

    def __init__(self, folder: Path, name: str, base_url: str, config: str) -> None:
        self._environment = os.environ | {
            "SECRET_KEY": "bench",
            "DATABASE_URL": f"sqlite:///{folder}/{name}.sqlite3",
            "LLM_BASE_URL": base_url,
            "DEMO_MCP_SERVER": "false",
            "MCP_SERVER_URL": "",
            "MCP_CONFIG": config,
            "REDIS_URL": "",
            "PORT": "0",
            "MAX_RUN_STARTS_PER_MINUTE": "0",
            "ADMIN_USERNAME": "bench",
        }

    def __enter__(self) -> "BenchSite":
        self._manage("setup")
        token = self._manage("create_api_token", "bench").strip()
        self.headers = {"Authorization": f"Bearer {token}"}
        command = [sys.executable, str(ROOT / "manage.py"), "serve"]
        self._process = subprocess.Popen(
            command, env=self._environment, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout
        self.url = self._process.stdout.readline().split()[-4].rstrip("/")
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.wait(15)

    def _manage(self, *arguments: str) -> str:
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        return subprocess.check_output(command, env=self._environment, text=True)

    async def first_token(self, session: aiohttp.ClientSession) -> float:
        """Milliseconds from the question to the first piece of the answer."""
        began, found = time.perf_counter(), 0.0
        body = {"message": "go"}
        url = f"{self.url}/chat/stream"
        async with session.post(url, json=body, headers=self.headers) as response:
            response.raise_for_status()
            async for line in response.content:
                if not found and line.startswith(b"event: content"):
                    found = (time.perf_counter() - began) * 1000
        return found


async def main() -> None:
    server = await asyncio.start_server(model, "127.0.0.1", 0)
    base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = [
            stack.enter_context(BareMCPServer(definitions(number))) for number in range(SERVERS)
        ]
        config = folder / "mcp.json"
        entries = {f"server-{at}": {"url": one.url} for at, one in enumerate(servers)}
        config.write_text(json.dumps({"mcpServers": entries}))
        sites = [
            await asyncio.to_thread(stack.enter_context, BenchSite(folder, name, base_url, path))
            for name, path in (("none", ""), ("tools", str(config)))
        ]
        async with aiohttp.ClientSession() as session:
            for site in sites:
                for _ in range(20):
                    await site.first_token(session)
            lists = sum(one.methods.count("tools/list") for one in servers)
            pairs = [[await site.first_token(session) for site in sites] for _ in range(PAIRS)]
            lists = sum(one.methods.count("tools/list") for one in servers) - lists
    for name, took in zip(("no tools", "100 tools"), zip(*pairs, strict=True), strict=True):
        print(f"{name:<12} first token p50 {statistics.median(took):6.1f} ms")
    print(f"difference   p50 {statistics.median(b - a for a, b in pairs):+.1f} ms")
    print(f"lists asked for meanwhile: {lists} (heartbeats only), runs: {PAIRS}")


if __name__ == "__main__":
    asyncio.run(main())
