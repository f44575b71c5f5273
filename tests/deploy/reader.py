"""One who asks and reads through the proxy as the page does: whoever is cut off comes back."""

import asyncio
import time
from contextlib import suppress
from uuid import uuid4

import httpx

from tests.sse import Frame, parse

AGAIN_SECONDS = 0.1
MOST_SECONDS = 150


class Reader:
    """`came` has the time of each event; `breaks`: how often the stream ended before
    the answer did."""

    def __init__(self, client: httpx.AsyncClient, run_id: str) -> None:
        self.run_id = run_id
        self.seen: list[Frame] = []
        self.came: list[float] = []
        self.breaks = 0
        self._client = client

    async def read(self) -> None:
        """To the end of the answer."""
        async with asyncio.timeout(MOST_SECONDS):
            while True:
                with suppress(httpx.TransportError):
                    await self._read_on()
                if self.seen and self.seen[-1].event in {"done", "error"}:
                    return
                self.breaks += 1
                await asyncio.sleep(AGAIN_SECONDS)

    async def _read_on(self) -> None:
        url, rest = f"/api/runs/{self.run_id}/events/", b""
        headers = {"Last-Event-ID": str(self.seen[-1].id if self.seen else 0)}
        async with self._client.stream("GET", url, headers=headers) as response:
            if response.status_code in {502, 503}:
                return
            assert (response.status_code, response.http_version) == (200, "HTTP/2")
            async for chunk in response.aiter_raw():
                *blocks, rest = (rest + chunk).split(b"\n\n")
                new = [parse(block.decode()) for block in blocks if not block.startswith(b":")]
                self.seen += new
                self.came += [time.monotonic()] * len(new)

    @property
    def is_whole(self) -> bool:
        """Each number once, and one end."""
        ends = sum(frame.event in {"done", "error"} for frame in self.seen)
        numbers = [frame.id for frame in self.seen]
        return numbers == list(range(1, len(numbers) + 1)) and ends == 1


class Asker:
    """Asks as programs do: again, with the same key, where nobody took the question."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.refusals = 0
        self._client = client

    async def ask(self, text: str) -> Reader:
        headers = {"Idempotency-Key": uuid4().hex}
        while True:
            answer = await self._client.post(
                "/api/conversations/", json={"message": text}, headers=headers
            )
            if answer.status_code in {200, 201}:
                return Reader(self._client, answer.json()["run_id"])
            assert answer.status_code in {502, 503}, answer.text
            self.refusals += 1
            await asyncio.sleep(AGAIN_SECONDS)
