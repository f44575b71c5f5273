"""`make bench`: relay latency under load, from the model's write to the reader, as a table.

20 streams of 50 tokens a second, 200 tokens each, through `POST /chat/stream` on SQLite under
Daphne, and the same streams read from the scripted model directly: what the machine itself costs.
Every token carries its number and the time it was written; a lost, doubled or late one shows.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

STREAMS, TOKENS, DELAY_MS = 20, 200, 20
TOKEN = re.compile(r"<(\d+) (\d+)>")
Read = Callable[[bytes], str]


@dataclass(slots=True)
class Seen:
    """What one reader saw: numbers in order, and how late each was, in milliseconds."""

    numbers: list[int] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    rest: str = ""

    def add(self, text: str) -> None:
        now, text = time.monotonic_ns(), self.rest + text
        end = 0
        for match in TOKEN.finditer(text):
            end = match.end()
            self.numbers.append(int(match[1]))
            self.late.append((now - int(match[2])) / 1e6)
        self.rest = text[end:]


async def model(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An OpenAI-compatible model that writes numbered, dated tokens by the clock."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
    due = time.monotonic()
    for number in range(1, TOKENS + 1):
        text = f"<{number} {time.monotonic_ns()}> "
        writer.write(frame({"choices": [{"index": 0, "delta": {"content": text}}]}))
        due += DELAY_MS / 1000
        await asyncio.sleep(max(0, due - time.monotonic()))
    writer.write(frame({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
    writer.write(b"data: [DONE]\n\n")
    await writer.drain()
    writer.close()


def frame(value: dict[str, object]) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


def ferryline(data: bytes) -> str:
    return str(json.loads(data).get("content", ""))


def direct(data: bytes) -> str:
    if data == b"[DONE]":
        return ""
    return str(json.loads(data)["choices"][0]["delta"].get("content", ""))


async def follow(
    session: aiohttp.ClientSession, url: str, headers: dict[str, str], read: Read, seen: Seen
) -> None:
    body = {"message": "go", "messages": [{"role": "user", "content": "go"}]}
    async with session.post(url, json=body, headers=headers) as response:
        response.raise_for_status()
        kind = b""
        async for line in response.content:
            if line.startswith(b"event: "):
                kind = line[7:].strip()
            elif line.startswith(b"data: ") and kind in (b"", b"content"):
                seen.add(read(line[6:].strip()))


async def measure(name: str, url: str, headers: dict[str, str], read: Read) -> bool:
    readers = [Seen() for _ in range(STREAMS)]
    timeout = aiohttp.ClientTimeout(total=120)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:

        async def one(number: int, seen: Seen) -> None:
            await asyncio.sleep(number / STREAMS)
            await follow(session, url, headers, read, seen)

        await asyncio.gather(*(one(number, seen) for number, seen in enumerate(readers)))
    late = sorted(value for seen in readers for value in seen.late)
    wrong = sum(seen.numbers != list(range(1, TOKENS + 1)) for seen in readers)
    at = [late[int(share * (len(late) - 1))] for share in (0.5, 0.95, 0.99, 1)]
    print(f"{name:<20}" + "".join(f"{value:>9.1f}" for value in at) + f"{wrong:>9}")
    return wrong == 0


async def main() -> None:
    server = await asyncio.start_server(model, "127.0.0.1", 0)
    base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "SECRET_KEY": "bench",
            "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
            "LLM_BASE_URL": base_url,
            "DEMO_MCP_SERVER": "false",
            "MCP_SERVER_URL": "",
            "REDIS_URL": "",
            "PORT": "0",
            "MAX_ACTIVE_RUNS_PER_USER": "1000",
            "MAX_RUN_STARTS_PER_MINUTE": "0",
            "ADMIN_USERNAME": "bench",
        }
        manage = [sys.executable, str(Path(__file__).parent.parent / "manage.py")]
        await asyncio.to_thread(
            subprocess.run, [*manage, "setup"], env=environment, check=True, capture_output=True
        )
        token = await asyncio.to_thread(
            subprocess.check_output, [*manage, "create_api_token", "bench"], env=environment
        )
        site = subprocess.Popen([*manage, "serve"], env=environment, stdout=subprocess.PIPE)
        assert site.stdout
        line = await asyncio.to_thread(site.stdout.readline)
        url = line.decode().split()[-1].rstrip("/")
        try:
            await ready(url)
            print(f"{STREAMS} streams × {1000 // DELAY_MS} tokens/s × {TOKENS} tokens; relay in ms")
            print(f"{'':<20}{'p50':>9}{'p95':>9}{'p99':>9}{'max':>9}{'wrong':>9}")
            headers = {"Authorization": f"Bearer {token.decode().strip()}"}
            good = await measure("the model, direct", f"{base_url}/chat/completions", {}, direct)
            good &= await measure("Ferryline", f"{url}/chat/stream", headers, ferryline)
        finally:
            site.terminate()
            await asyncio.to_thread(site.wait, 15)
    sys.exit(0 if good else 1)


async def ready(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(200):
            try:
                async with session.get(f"{url}/healthz"):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)
    raise SystemExit("The server did not start.")


if __name__ == "__main__":
    asyncio.run(main())
