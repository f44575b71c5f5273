"""The readers, in a process of their own: streams of one shape from one server, as JSON.

python -m tests.bench.load SHAPE URL PID [conversation ...]; the token is in BENCH_TOKEN.
"""

import asyncio
import gc
import json
import os
import sys
import time
from dataclasses import asdict, dataclass

import aiohttp
import psutil

from tests.bench.seen import Seen
from tests.bench.shapes import SHAPES, Shape

STREAM_SECONDS = 120
# What is left to do behind the last token counts as well.
AFTERWARDS_SECONDS = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """Times in milliseconds, memory in KiB, `cpu` in ms for each 1,000 tokens.

    `wrong`: streams that were not exactly what the model said. `rate`: tokens per second.
    """

    tokens: int
    cpu: float
    p50: float
    p95: float
    p99: float
    first_p50: float
    rate: float
    rss_kib: int
    rss_per_stream_kib: float
    wrong: int
    errors: list[str]


class Server:
    """The process that is measured, and it alone."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.peak = 0

    def cpu_seconds(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def rss(self) -> int:
        self.peak = max(self.peak, rss := int(self._process.memory_info().rss))
        return rss

    async def watch(self) -> None:
        while True:
            self.rss()
            await asyncio.sleep(0.1)


async def read(
    session: aiohttp.ClientSession, url: str, token: str, body: dict[str, str], seen: Seen
) -> None:
    """One stream to its end; what went wrong is in `seen.error`."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    seen.asked_at = time.monotonic_ns()
    try:
        async with (
            asyncio.timeout(STREAM_SECONDS),
            session.post(f"{url}/chat/stream", json=body, headers=headers) as response,
        ):
            response.raise_for_status()
            async for data in response.content.iter_any():
                seen.add(data)
    except (aiohttp.ClientError, TimeoutError) as error:
        seen.error = f"{type(error).__name__}: {error}"


async def measure(shape: Shape, url: str, server: Server, conversations: list[str]) -> Result:
    readers = [Seen() for _ in range(shape.streams)]
    places = [{"conversation_id": one} for one in conversations] or [{}] * shape.streams
    token = os.environ.get("BENCH_TOKEN", "")
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def one(number: int) -> None:
            await asyncio.sleep(shape.ramp_seconds * number / shape.streams)
            body = {"message": shape.question, **places[number]}
            await read(session, url, token, body, readers[number])

        rss, cpu = server.rss(), server.cpu_seconds()
        watch = asyncio.create_task(server.watch())
        # A collection in the reader would look like a late token.
        gc.disable()
        await asyncio.gather(*(one(number) for number in range(shape.streams)))
        gc.enable()
        await asyncio.sleep(AFTERWARDS_SECONDS)
        watch.cancel()
        cpu = server.cpu_seconds() - cpu
    return summary(shape, readers, cpu, rss, server.peak)


def summary(shape: Shape, readers: list[Seen], cpu: float, rss: int, peak: int) -> Result:
    relayed = [seen.relayed() for seen in readers]
    every = sorted(((at - sent) / 1e6, at) for tokens in relayed for sent, at in tokens)
    late = [milliseconds for milliseconds, _ in every] or [0.0]
    moments = [at for _, at in every] or [0]
    span = (max(moments) - min(moments)) / 1e9
    firsts = (
        (tokens[0][1] - seen.asked_at) / 1e6
        for seen, tokens in zip(readers, relayed, strict=True)
        if tokens
    )
    return Result(
        tokens=len(every),
        cpu=1e6 * cpu / max(1, len(every)),
        p50=share(late, 0.5),
        p95=share(late, 0.95),
        p99=share(late, 0.99),
        first_p50=share(sorted(firsts) or [0.0], 0.5),
        rate=(len(every) - 1) / span if span else 0,
        rss_kib=peak // 1024,
        rss_per_stream_kib=(peak - rss) / 1024 / shape.streams,
        wrong=sum(not seen.error and not seen.is_right(shape.tokens) for seen in readers),
        errors=[seen.error for seen in readers if seen.error],
    )


def share(ordered: list[float], part: float) -> float:
    return ordered[int(part * (len(ordered) - 1))]


def main() -> None:
    name, url, pid, *conversations = sys.argv[1:]
    result = asyncio.run(measure(SHAPES[name], url, Server(int(pid)), conversations))
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
