"""One round of the crash test: questions, deaths, and the judgement afterwards."""

import asyncio
import random

import httpx

from chat.models import AgentRun, Conversation
from tests.faults.invariants import Stored, log_of, misread, of_the_chain, violations
from tests.faults.lives import (
    Death,
    Server,
    at_a_point,
    deaths,
    is_all_packed,
    let_a_minute_pass,
    let_time_pass,
)
from tests.faults.readers import Crowd, Talk
from tests.faults.scripts import CountingMCPServer, scripts

SETTLE_SECONDS = 60
LOOK_SECONDS = 0.05
CURSORS = 20


class Round:
    """The same seed and number give the same round, as far as chance is ours."""

    def __init__(self, seed: str, number: int, server: Server, tools: CountingMCPServer) -> None:
        self.name = f"{seed}:{number}"
        self.violations: list[str] = []
        self.died: list[Death] = []
        self.events = 0
        self._chance = random.Random(self.name)
        self._logs: dict[str, list[Stored]] = {}
        self._plan = deaths(self._chance, number)
        self._server = server
        self._tools = tools
        self._talks = [
            Talk(script=script, key=f"{self.name} {number}")
            for number, script in enumerate(scripts(self._chance, self.name))
        ]

    async def play(self, token: str) -> None:
        """Everything, from the first question to the last invariant."""
        crowd = Crowd(lambda: self._server.url, token, self._chance)
        try:
            reading = asyncio.ensure_future(crowd.take_part(self._talks))
            await self._die_again_and_again(reading)
            await self._server.begin(None)
            await asyncio.wait({reading}, timeout=SETTLE_SECONDS)
            self.violations += crowd.wrong
            if not reading.done():
                reading.cancel()
                self.violations.append(f"the answers had not ended after {SETTLE_SECONDS} s")
            elif not crowd.wrong:
                await self._judge(crowd)
                await self._pack(crowd)
        except (TimeoutError, httpx.TransportError) as error:
            self.violations.append(f"the server did not do as it was told: {error!r}")
        finally:
            await crowd.aclose()

    async def _die_again_and_again(self, reading: "asyncio.Future[None]") -> None:
        for death in self._plan:
            await self._server.begin(death)
            dying = asyncio.ensure_future(self._server.die(death))
            await asyncio.wait({reading, dying}, return_when=asyncio.FIRST_COMPLETED)
            if not dying.done():
                dying.cancel()
                return
            dying.result()
            self.died.append(death)
            await asyncio.to_thread(let_time_pass)

    async def _judge(self, crowd: Crowd) -> None:
        for talk in self._talks:
            log = self._logs[talk.key] = await asyncio.to_thread(log_of, talk.run_id)
            self.events += len(log)
            found = await asyncio.to_thread(violations, talk, log, self._tools)
            found += await self._replayed(crowd, talk, log)
            about = f"{talk.script.question[:60]!r}, run {talk.run_id}"
            self.violations += [f"{about}: {text}" for text in found]
        self.violations += await asyncio.to_thread(self._count)
        self.violations += await asyncio.to_thread(of_the_chain)

    async def _pack(self, crowd: Crowd) -> None:
        """Rows that are put together read as before, whoever dies over them."""
        await asyncio.to_thread(let_a_minute_pass)
        death = at_a_point(self._chance, "in_packing")
        await self._server.begin(death)
        dying = asyncio.ensure_future(self._server.die(death))
        packing = asyncio.ensure_future(_until_all_is_packed())
        await asyncio.wait({packing, dying}, return_when=asyncio.FIRST_COMPLETED)
        if dying.done():
            self.died.append(death)
        dying.cancel()
        await self._server.begin(None)
        await asyncio.wait({packing}, timeout=SETTLE_SECONDS)
        if not packing.done():
            packing.cancel()
            self.violations.append(f"not all was packed after {SETTLE_SECONDS} s")
        for talk in self._talks:
            log = self._logs[talk.key]
            found = await self._replayed(crowd, talk, log)
            if await asyncio.to_thread(log_of, talk.run_id) != log:
                found.append("its events are others")
            self.violations += [f"packed, run {talk.run_id}: {text}" for text in found]

    async def _replayed(self, crowd: Crowd, talk: Talk, log: list[Stored]) -> list[str]:
        """What is wrong with reading after some numbers: a few over the wire, more from rows."""
        end = len(log)
        asked = sorted({0, self._chance.randrange(end), end, end + 1})
        found = [text for after in asked if (text := await self._after(crowd, talk, log, after))]
        looked_up = self._chance.sample(range(end), min(end, CURSORS))
        return found + await asyncio.to_thread(misread, talk.run_id, log, looked_up)

    async def _after(self, crowd: Crowd, talk: Talk, log: list[Stored], after: int) -> str:
        """With what had come before, the rest makes the log."""
        status, body = await crowd.replay(talk, after)
        rest = b"".join(event.frame + b"\n\n" for event in log[after:])
        if after < len(log):
            is_right = (status, body) == (200, rest)
        else:
            is_right = status == (204 if after == len(log) else 400)
        return "" if is_right else f"after {after} of {len(log)}: {status}, {len(body)} bytes"

    def _count(self) -> list[str]:
        """One run and one conversation for each question, however often it was sent."""
        runs = AgentRun.objects.filter(idempotency_key__in=[talk.key for talk in self._talks])
        taken_over = [run.takeovers for run in runs if run.takeovers > len(self.died)]
        found = [f"taken over {taken_over} times after {len(self.died)} deaths"] * bool(taken_over)
        counts = runs.count(), AgentRun.objects.count(), Conversation.objects.count()
        if counts[0] != len(self._talks) or counts[1] != counts[2]:
            found.append(f"{len(self._talks)} questions; runs, all runs, conversations: {counts}")
        return found


async def _until_all_is_packed() -> None:
    while not await asyncio.to_thread(is_all_packed):
        await asyncio.sleep(LOOK_SECONDS)
