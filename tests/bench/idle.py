"""Many open streams of one quiet run: what they cost while nothing happens, as JSON.

python -m tests.bench.idle URL PID; the token is in BENCH_TOKEN.
"""

import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass

import aiohttp
import psutil

STREAMS = 1_000
# Two of the comments that keep proxies from closing a stream fall into it.
SECONDS = 30
POSTGRESQL_PORT = 5432
QUIET = {"message": "tokens=2 delay=300000 calls=0"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Idle:
    """`cpu_percent` of one core. What there is more than before the streams were opened.

    `more_connections`: open handles of the database, or connections to it.
    """

    wanted: int = STREAMS
    streams: int
    cpu_percent: float
    rss_per_stream_kib: float
    more_connections: int
    more_threads: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What the server holds at this moment."""

    rss: int
    connections: int
    threads: int
    cpu_seconds: float


def held(process: psutil.Process) -> Held:
    files = [file for file in process.open_files() if file.path.endswith("sqlite3")]
    sockets = process.net_connections("tcp")
    postgres = [one for one in sockets if one.raddr and one.raddr.port == POSTGRESQL_PORT]
    times = process.cpu_times()
    return Held(
        rss=process.memory_info().rss,
        connections=len(files) + len(postgres),
        threads=process.num_threads(),
        cpu_seconds=times.user + times.system,
    )


async def measure(url: str, process: psutil.Process) -> Idle:
    headers = {"Authorization": f"Bearer {os.environ['BENCH_TOKEN']}"}
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with (
        aiohttp.ClientSession(url, connector=connector, timeout=timeout, headers=headers) as http,
        AsyncExitStack() as stack,
    ):
        async with http.post("/api/conversations/", json=QUIET) as response:
            run_id = (await response.json())["run_id"]
        # The first one is not counted: it brings what all share.
        await begin_one(http, run_id, stack)
        before = held(process)
        streams = [await begin_one(http, run_id, stack) for _ in range(STREAMS)]
        opened = held(process)
        await asyncio.sleep(SECONDS)
        after = held(process)
        alive = sum(not stream.content.at_eof() for stream in streams)
        await http.post(f"/api/runs/{run_id}/cancellations/")
    return Idle(
        streams=alive,
        cpu_percent=100 * (after.cpu_seconds - opened.cpu_seconds) / SECONDS,
        rss_per_stream_kib=(opened.rss - before.rss) / 1024 / STREAMS,
        more_connections=after.connections - before.connections,
        more_threads=after.threads - before.threads,
    )


async def begin_one(
    http: aiohttp.ClientSession, run_id: str, stack: AsyncExitStack
) -> aiohttp.ClientResponse:
    """An open stream that has given its first frame."""
    response = await stack.enter_async_context(http.get(f"/api/runs/{run_id}/events/"))
    response.raise_for_status()
    await response.content.readuntil(b"\n\n")
    return response


def main() -> None:
    url, pid = sys.argv[1:]
    print(json.dumps(asdict(asyncio.run(measure(url, psutil.Process(int(pid)))))))


if __name__ == "__main__":
    main()
