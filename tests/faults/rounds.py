"""Rounds of the crash test, one after the other, on a database of their own.

    python -m tests.faults.rounds SEED NUMBER…

prints a line of JSON for each of these rounds. Started by tests.faults.crash, with the
environment that the server is to have.
"""

import asyncio
import json
import os
import random
import sys
import time
from typing import Any

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402 (once Django is set up)

from chat.models import AgentRun, ApiToken, Conversation, MCPServer  # noqa: E402
from tests.faults.invariants import Stored, log_of, violations  # noqa: E402
from tests.faults.lives import Death, Server, deaths, let_time_pass  # noqa: E402
from tests.faults.readers import Crowd, Talk  # noqa: E402
from tests.faults.scripts import CountingMCPServer, scripts  # noqa: E402
from tests.servers.model_server import ScriptedModelServer  # noqa: E402

SETTLE_SECONDS = 60
CURSORS = 5


class Round:
    """Questions, deaths, and the judgement afterwards. The same name gives the same round, as far
    as chance is ours.
    """

    def __init__(self, seed: str, number: int, server: Server, tools: CountingMCPServer) -> None:
        self.name = f"{seed}:{number}"
        self.violations: list[str] = []
        self.died: list[Death] = []
        self.events = 0
        self._chance = random.Random(self.name)
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
        whole = self._chance.choice(self._talks)
        for talk in self._talks:
            log = await asyncio.to_thread(log_of, talk.run_id)
            self.events += len(log)
            found = await asyncio.to_thread(violations, talk, log, self._tools)
            found += await self._replayed(crowd, talk, log, is_whole=talk is whole)
            about = f"{talk.script.question[:60]!r}, run {talk.run_id}"
            self.violations += [f"{about}: {text}" for text in found]
        self.violations += await asyncio.to_thread(self._count)

    async def _replayed(
        self, crowd: Crowd, talk: Talk, log: list[Stored], *, is_whole: bool
    ) -> list[str]:
        """What is wrong with reading after each number, or after some."""
        end = len(log)
        some = self._chance.choices(range(end), k=CURSORS) if end else []
        cursors = range(end + 2) if is_whole else sorted({0, *some, end, end + 1})
        return [text for after in cursors if (text := await self._after(crowd, talk, log, after))]

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


async def main(seed: str, numbers: list[int]) -> None:
    era = "2026-07-28" if numbers[0] % 2 else "2025-11-25"
    with ScriptedModelServer() as model, CountingMCPServer(era=era) as tools:
        token = await asyncio.to_thread(prepare, tools.url)
        environment = os.environ | {"LLM_BASE_URL": model.base_url, "MCP_SERVER_URL": tools.url}
        async with Server(environment, sys.stderr.buffer) as server:
            for number in numbers:
                began = time.monotonic()
                one = Round(seed, number, server, tools)
                await one.play(token)
                print(json.dumps(report(one, time.monotonic() - began)), flush=True)
                tools.calls.clear()
                model.requests.clear()


def prepare(tools_url: str) -> str:
    """Somebody who asks, and a server whose harmless tools may be repeated; a token."""
    MCPServer.objects.create(
        name="Tools",
        slug="main",
        source=MCPServer.Source.ENVIRONMENT,
        url=tools_url,
        may_repeat=True,
    )
    return str(ApiToken.issue(get_user_model().objects.create(username="alice"))[1])


def report(one: Round, seconds: float) -> dict[str, Any]:
    return {
        "name": one.name,
        "died": [str(death) for death in one.died],
        "events": one.events,
        "seconds": round(seconds, 1),
        "violations": one.violations,
    }


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], [int(number) for number in sys.argv[2:]]))
