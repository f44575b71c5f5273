"""Rounds of the crash test, one after the other, on a database of their own.

    python -m tests.faults.rounds SEED NUMBER…

prints a line of JSON for each of these rounds. Started by tests.faults.crash, with the
environment that the server is to have.
"""

import asyncio
import json
import os
import sys
import time
from typing import Any

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402 (once Django is set up)

from chat.models import ApiToken, MCPServer  # noqa: E402
from tests.faults.lives import Server  # noqa: E402
from tests.faults.one_round import Round  # noqa: E402
from tests.faults.scripts import CountingMCPServer  # noqa: E402
from tests.servers.mcp_server import Era  # noqa: E402
from tests.servers.model_server import ScriptedModelServer  # noqa: E402


async def main(seed: str, numbers: list[int]) -> None:
    era: Era = "2026-07-28" if numbers[0] % 2 else "2025-11-25"
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
        is_trusted=True,
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
