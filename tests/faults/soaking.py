"""Rounds of the soak: python -m tests.faults.soaking SERVER SECONDS ROUNDS

prints a line of JSON after each, of what the server holds while nobody asks anything. Started by
tests.faults.soak, with the environment that the server is to have.
"""

import asyncio
import json
import logging
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django

django.setup()

import httpx  # noqa: E402 (once Django is set up)
import psutil  # noqa: E402

from chat.models import ACTIVE_STATUSES, AgentRun  # noqa: E402
from tests.faults.proxy import HALF_OPEN, MUTE, NONE, RESET, Fault, Proxy  # noqa: E402
from tests.faults.rounds import prepare  # noqa: E402
from tests.servers.mcp_server import ScriptedMCPServer  # noqa: E402
from tests.servers.model_server import ScriptedModelServer  # noqa: E402
from tests.servers.site import Site  # noqa: E402

PEOPLE = 12
SETTLE_SECONDS = 60
FAULTS = (
    NONE,
    NONE,
    RESET,
    HALF_OPEN,
    MUTE,
    Fault(delay_seconds=0.3),
    Fault(bytes_per_second=2_000),
)
QUESTIONS = (
    "[[tokens 200 delay 5]]",
    '[[call echo {"text": "a"}]][[call add {"a": 1, "b": 2}]][[then]][[tokens 50]]',
    "[[reason Hm.]][[tokens 40 delay 20]]",
    "[[call picture]][[then]][[text There it is.]]",
    '[[call slow {"seconds": 0.5}]][[then]][[text Slowly.]]',
    "[[tokens 2000]]",
)


class Soak:
    """People who ask until the round is over, and a network that fails meanwhile."""

    def __init__(self, site: Site, token: str, proxies: list[Proxy]) -> None:
        self.asked = 0
        self.wrong: list[str] = []
        self._proxies = proxies
        self._site = site
        headers = {"Authorization": f"Bearer {token}"}
        # A connection is given up before a server does, which may be in the moment of a request.
        limits = httpx.Limits(keepalive_expiry=2)
        self.http = httpx.AsyncClient(base_url=site.url, headers=headers, timeout=60, limits=limits)

    async def round(self, seconds: float) -> dict[str, Any]:
        """Trouble for so long, then quiet; what is held then."""
        ends = time.monotonic() + seconds
        people = [asyncio.ensure_future(self._ask_until(ends)) for _ in range(PEOPLE)]
        while time.monotonic() < ends:
            for proxy in self._proxies:
                proxy.suffer(random.choice(FAULTS))
            await asyncio.sleep(min(2, seconds / 4))
            for proxy in self._proxies:
                proxy.suffer(NONE)
            await asyncio.sleep(min(2, seconds / 4))
        await asyncio.gather(*people)
        await self._quiet()
        return await self._held()

    async def _ask_until(self, ends: float) -> None:
        ways: list[Callable[[], Awaitable[None]]] = [
            self._read,
            self._leave,
            self._stop,
            self._look,
        ]
        while time.monotonic() < ends:
            way = random.choice(ways)
            try:
                await way()
            except httpx.HTTPError as error:
                self.wrong.append(f"{way.__name__}: {error!r}")

    async def _begin(self) -> str:
        self.asked += 1
        body = {"message": random.choice(QUESTIONS)}
        answer = await self.http.post("/api/conversations/", json=body)
        answer.raise_for_status()
        return str(answer.json()["run_id"])

    async def _lines(self, run_id: str, after: int = 0, most: int = 0) -> int:
        """Read on; the last number that was seen. `most`: leave after so many lines."""
        seen = 0
        url = f"/api/runs/{run_id}/events/?after={after}"
        async with self.http.stream("GET", url) as stream:
            async for line in stream.aiter_lines():
                seen += 1
                if line.startswith("id: "):
                    after = int(line[4:])
                if most and seen >= most:
                    break
        return after

    async def _read(self) -> None:
        await self._lines(await self._begin())

    async def _leave(self) -> None:
        run_id = await self._begin()
        after = await self._lines(run_id, most=random.randrange(1, 100))
        await self._lines(run_id, after)

    async def _stop(self) -> None:
        run_id = await self._begin()
        await self._lines(run_id, most=20)
        (await self.http.post(f"/api/runs/{run_id}/cancellations/")).raise_for_status()

    async def _look(self) -> None:
        for path in ("/api/conversations/", "/accounts/login/", "/api/search/?q=there"):
            (await self.http.get(path)).raise_for_status()

    async def _quiet(self) -> None:
        """All answers are over, one way or another."""
        until = time.monotonic() + SETTLE_SECONDS
        active = AgentRun.objects.filter(status__in=ACTIVE_STATUSES)
        while count := await asyncio.to_thread(active.count):
            if time.monotonic() > until:
                self.wrong.append(f"{count} answers had not ended after {SETTLE_SECONDS} s")
                return
            await asyncio.sleep(0.2)
        await asyncio.sleep(2)

    async def _held(self) -> dict[str, Any]:
        bearer = {"Authorization": f"Bearer {os.environ['METRICS_TOKEN']}"}
        figures = (await self.http.get("/metrics", headers=bearer)).text.splitlines()
        assert self._site.process
        process = psutil.Process(self._site.process.pid)
        asked, self.asked = self.asked, 0
        wrong, self.wrong = self.wrong, []
        return {
            "asked": asked,
            "MiB": round(own_bytes(process.pid) / (1 << 20), 1),
            "tasks": next(float(f.split()[1]) for f in figures if f.startswith("ferryline_tasks ")),
            "threads": process.num_threads(),
            "files": len(process.open_files()),
            "sockets": len(process.net_connections("all")),
            "wrong": wrong,
        }


def own_bytes(pid: int) -> int:
    """Memory of a process without the files that it maps: SQLite maps those of the database."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) * 1024


def port_of(url: str) -> int:
    return urlsplit(url).port or 0


# The proxies and servers of this process, whose connections are cut on purpose.
logging.getLogger("asyncio").setLevel(logging.CRITICAL)


async def main(server: str, seconds: float, rounds: int) -> None:
    with ExitStack() as stack:
        model = stack.enter_context(ScriptedModelServer())
        tools = stack.enter_context(ScriptedMCPServer())
        proxies = [stack.enter_context(Proxy(port_of(url))) for url in (model.base_url, tools.url)]
        before_model, before_tools = (f"http://127.0.0.1:{proxy.port}" for proxy in proxies)
        token = await asyncio.to_thread(prepare, f"{before_tools}/mcp")
        places = {"LLM_BASE_URL": f"{before_model}/v1", "MCP_SERVER_URL": f"{before_tools}/mcp"}
        site = stack.enter_context(Site(server=server, **places))
        soak = Soak(site, token, proxies)
        for _ in range(rounds):
            print(json.dumps(await soak.round(seconds)), flush=True)
            model.requests.clear()
            tools.calls.clear()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
