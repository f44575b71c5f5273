"""People at a server that dies now and then: they ask, read, come back, and keep what they saw."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.faults.scripts import Script

AGAIN_SECONDS = 0.02
ASKED = b"event: approval_required\n"
END = (b"event: done\n", b"event: error\n")


class Wrong(Exception):
    """Something was seen that must never be."""


@dataclass(slots=True)
class Seen:
    """What one reader has: each event's bytes by number, and beginnings of events that were cut."""

    frames: dict[int, bytes] = field(default_factory=dict)
    cut: list[tuple[int, bytes]] = field(default_factory=list)
    is_over: bool = False

    def keep(self, number: int, frame: bytes) -> None:
        known = self.frames.setdefault(number, frame)
        if known != frame:
            raise Wrong(f"event {number} was {known!r} and came again as {frame!r}")
        self.is_over = self.is_over or any(kind in frame for kind in END)


@dataclass(slots=True)
class Talk:
    """A question, its run once the server has said which, and all that was seen of it."""

    script: Script
    key: str
    run_id: str = ""
    answers: set[str] = field(default_factory=set)
    seen: list[Seen] = field(default_factory=list)

    @property
    def asked(self) -> bytes:
        """The event that a call waits for the person; empty where nobody has seen it."""
        frames = (frame for seen in self.seen for frame in seen.frames.values())
        return next((frame for frame in frames if ASKED in frame), b"")

    def is_given(self, run_id: str) -> None:
        self.run_id = run_id
        self.answers.add(run_id)
        if len(self.answers) > 1:
            raise Wrong(f"one idempotency key has several runs: {self.answers}")


class Crowd:
    """All who read in one round. `url` says where the server is now; it may be gone any time."""

    def __init__(self, url: Callable[[], str], token: str, chance: random.Random) -> None:
        self.wrong: list[str] = []
        self._url = url
        self._chance = chance
        self._http = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
            trust_env=False,
            # There is no TLS here, and loading certificates takes longer than a restart.
            verify=False,
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def take_part(self, talks: Sequence[Talk]) -> None:
        """Ask everything at once, and read all answers to their ends."""
        jobs = [self._take_part(talk) for talk in talks]
        jobs += [self._allow(talk) for talk in talks if talk.script.is_asked]
        await asyncio.gather(*map(self._noting, jobs))

    async def _take_part(self, talk: Talk) -> None:
        """One reads on and on, one looks back, one comes late."""
        first = Seen()
        talk.seen.append(first)
        if self._chance.random() < 0.5:
            await self._ask(talk)
        else:
            await self._ask_and_read(talk, first)
        jobs = [self._read(talk, first, looks_back=False)]
        jobs += [self._late(talk, looks_back=looks_back) for looks_back in (True, False)]
        jobs += [self._stop(talk)] if talk.script.is_stopped else []
        await asyncio.gather(*map(self._noting, jobs))

    async def _noting(self, job: Coroutine[Any, Any, None]) -> None:
        try:
            await job
        except Wrong as wrong:
            self.wrong.append(str(wrong))

    async def replay(self, talk: Talk, after: int) -> tuple[int, bytes]:
        """Status and bytes of the events after a number, of a run that is over."""
        address = f"{self._url()}/api/runs/{talk.run_id}/events/?after={after}"
        response = await self._http.get(address)
        return response.status_code, response.content

    async def _ask(self, talk: Talk) -> None:
        while not talk.run_id:
            try:
                response = await self._http.post(
                    f"{self._url()}/api/conversations/",
                    json={"message": talk.script.question},
                    headers={"Idempotency-Key": talk.key},
                )
            except httpx.TransportError:
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            if response.status_code == 201:
                talk.is_given(response.json()["run_id"])
            else:
                await self._again(response.status_code, "a question")

    async def _ask_and_read(self, talk: Talk, seen: Seen) -> None:
        """The answer in the same response, until that breaks."""
        while not talk.run_id:
            try:
                async with self._http.stream(
                    "POST",
                    f"{self._url()}/chat/stream",
                    json={"message": talk.script.question},
                    headers={"Idempotency-Key": talk.key},
                ) as response:
                    if response.status_code == 200:
                        talk.is_given(response.headers["X-Run-Id"])
                        await keep_all(response.aiter_raw(), seen, 0)
                    else:
                        await self._again(response.status_code, "a question")
            except httpx.TransportError:
                await asyncio.sleep(AGAIN_SECONDS)

    async def _late(self, talk: Talk, *, looks_back: bool) -> None:
        seen = Seen()
        talk.seen.append(seen)
        await asyncio.sleep(self._chance.random())
        await self._read(talk, seen, looks_back=looks_back)

    async def _read(self, talk: Talk, seen: Seen, *, looks_back: bool) -> None:
        """Until the end; each time the stream breaks, on from the last event, or an earlier one."""
        while not seen.is_over:
            last = max(seen.frames, default=0)
            after = self._chance.randint(0, last) if looks_back else last
            try:
                async with self._http.stream(
                    "GET",
                    f"{self._url()}/api/runs/{talk.run_id}/events/",
                    headers={"Last-Event-ID": str(after)},
                ) as response:
                    if response.status_code == 200:
                        await keep_all(response.aiter_raw(), seen, after)
                    else:
                        await self._again(response.status_code, f"event {after} of {talk.run_id}")
            except httpx.TransportError:
                await asyncio.sleep(AGAIN_SECONDS)

    async def _allow(self, talk: Talk) -> None:
        """Once it is seen, and sometimes after a while; again until the server has taken it."""
        while not (asked := talk.asked) and not any(seen.is_over for seen in talk.seen):
            await asyncio.sleep(AGAIN_SECONDS)
        if not asked:
            return
        await asyncio.sleep(self._chance.choice([0, 0, self._chance.random()]))
        tool_run = json.loads(asked.partition(b"data: ")[2])["tool_run_id"]
        while True:
            address = f"{self._url()}/api/tool-runs/{tool_run}/approvals/"
            try:
                response = await self._http.post(address, json={"decision": "allow"})
            except httpx.TransportError:
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            # 409: it was taken, and only the answer was lost.
            if response.status_code in {200, 409}:
                return
            await self._again(response.status_code, "an approval")

    async def _stop(self, talk: Talk) -> None:
        await asyncio.sleep(self._chance.random())
        while True:
            address = f"{self._url()}/api/runs/{talk.run_id}/cancellations/"
            try:
                response = await self._http.post(address)
            except httpx.TransportError:
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            if response.status_code in {200, 202}:
                return
            await self._again(response.status_code, "a cancellation")

    @staticmethod
    async def _again(status: int, what: str) -> None:
        """A server that is leaving says so; anything else is a fault."""
        if status != 503:
            raise Wrong(f"the server answered {what} with {status}")
        await asyncio.sleep(AGAIN_SECONDS)


async def keep_all(chunks: AsyncIterator[bytes], seen: Seen, after: int) -> None:
    """Keep each event once it is whole; what comes must be the next one."""
    rest = b""
    try:
        async for chunk in chunks:
            *frames, rest = (rest + chunk).split(b"\n\n")
            for frame in frames:
                if frame.startswith(b":"):
                    continue
                after += 1
                if not frame.startswith(b"id: %d\n" % after):
                    raise Wrong(f"event {after} was due, and {frame[:60]!r} came")
                seen.keep(after, frame)
    finally:
        if rest:
            seen.cut.append((after + 1, rest))
