"""The lives of a server within a round, one after the other, and how each of them ends."""

import asyncio
import json
import os
import random
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from signal import SIGKILL, SIGTERM, Signals
from types import TracebackType
from typing import IO, Self

from django.db.models import F
from django.utils import timezone

from chat.models import ACTIVE_STATUSES, AgentRun
from chat.runs.recovery import MAX_TAKEOVERS, ORPHANED_AFTER_SECONDS
from chat.runs.upkeep.packing import PACK_AFTER_SECONDS
from tests.faults.points import ANSWERING, POINTS
from tests.servers.site import ROOT, free_port

START_SECONDS = 30
STOP_SECONDS = 30
# Rounds take the points in turn, so that twenty take all of them; as many then begin with a death
# at a random moment.
FREE = 5
HANDING_OVER = ("before_give_up", "after_give_up")


@dataclass(frozen=True, kw_only=True, slots=True)
class Death:
    """At the `hit`-th pass of a `point`; else after `seconds`, by a signal."""

    point: str = ""
    hit: int = 0
    seconds: float = 0
    signal: Signals | None = None

    def __str__(self) -> str:
        moment = f"{self.signal.name} after {self.seconds:.3f} s" if self.signal else ""
        return ", ".join(filter(None, [self.point and f"{self.point} {self.hit}", moment]))


def deaths(chance: random.Random, number: int) -> list[Death]:
    """How the server dies in a round: first at each point in turn or at a random moment, then
    perhaps again; now and then so often that it has to give up.
    """
    name = _in_turn(number)
    first = at_a_point(chance, name) if name else _at_a_moment(chance)
    more = MAX_TAKEOVERS if chance.random() < 0.08 else int(chance.random() < 0.35)
    if name in {"after_take_over", "before_resume", "after_resume"}:
        # Only what was left behind by a first death is taken over.
        return [_at_a_moment(chance), first]
    again = [chance.choice([_at_a_moment(chance), _anywhere(chance)]) for _ in range(more)]
    return [first, *again]


def _in_turn(number: int) -> str:
    """Its point; empty for a free round."""
    return (ANSWERING + [""] * FREE)[number % (len(ANSWERING) + FREE)]


def _anywhere(chance: random.Random) -> Death:
    return at_a_point(chance, chance.choice(ANSWERING))


def at_a_point(chance: random.Random, name: str) -> Death:
    """At one of its passes; where it is passed in handing over only, by asking for that."""
    hit = chance.randint(1, POINTS[name].hits)
    if name in HANDING_OVER:
        return Death(point=name, hit=hit, seconds=chance.random(), signal=SIGTERM)
    return Death(point=name, hit=hit)


def _at_a_moment(chance: random.Random) -> Death:
    kind = chance.choice([SIGKILL, SIGKILL, SIGTERM])
    return Death(seconds=chance.uniform(0.02, 2), signal=kind)


class Server:
    """One process at a time, under another address in each life. `url` is the last one's."""

    def __init__(self, environment: Mapping[str, str], log: IO[bytes]) -> None:
        self.url = ""
        self._environment = environment
        self._log = log
        self._pid = 0
        self._gone: asyncio.Future[bytes] | None = None

    async def __aenter__(self) -> Self:
        self._launcher = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.faults.launcher"),
            cwd=ROOT,
            env=self._environment,
            stdin=PIPE,
            stdout=PIPE,
            stderr=self._log,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._launcher.stdin
        self._launcher.stdin.close()
        await self._launcher.wait()

    async def begin(self, death: Death | None) -> None:
        """Begin a life, after the end of the one before; return when it listens or is over."""
        if self._gone and not self._gone.done():
            os.kill(self._pid, SIGKILL)
            await self._gone
        port = free_port()
        order: dict[str, object] = {"port": port}
        if death and death.point:
            order |= {"point": death.point, "hit": death.hit}
        assert self._launcher.stdin
        assert self._launcher.stdout
        self._launcher.stdin.write(json.dumps(order).encode() + b"\n")
        self._pid = int(await self._launcher.stdout.readline())
        self._gone = asyncio.ensure_future(self._launcher.stdout.readline())
        async with asyncio.timeout(START_SECONDS):
            while not self._gone.done() and not await _listens(port):
                await asyncio.sleep(0.01)
        self.url = f"http://127.0.0.1:{port}"

    async def die(self, death: Death) -> None:
        """Return when the process is gone, which a point alone may never bring about."""
        assert self._gone
        if death.signal:
            await asyncio.sleep(death.seconds)
            if not self._gone.done():
                os.kill(self._pid, death.signal)
            async with asyncio.timeout(STOP_SECONDS):
                await asyncio.wait({self._gone})
        await asyncio.wait({self._gone})


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def let_time_pass() -> None:
    """The runs of a dead process are as silent as they are after ORPHANED_AFTER_SECONDS.

    This and `let_a_minute_pass` are the short cuts of the crash test: they are the clock's, and
    not the product's.
    """
    silence = timedelta(seconds=ORPHANED_AFTER_SECONDS + 1)
    runs = AgentRun.objects.filter(status__in=ACTIVE_STATUSES)
    runs.filter(heartbeat_at=None).update(created_at=F("created_at") - silence)
    deadline = timezone.now() - silence
    runs.filter(heartbeat_at__gt=deadline).update(heartbeat_at=deadline)


def let_a_minute_pass() -> None:
    """All runs that are over are old enough to be packed."""
    age = timedelta(seconds=PACK_AFTER_SECONDS + 1)
    AgentRun.objects.filter(is_packed=False).update(finished_at=F("finished_at") - age)


def is_all_packed() -> bool:
    return not AgentRun.objects.filter(is_packed=False).exists()
