"""News between processes, where Redis is: what the page depends on is in tests/wire."""

import asyncio
from uuid import uuid4

from chat.runs.moves import Moves
from tests.servers.redis import Redis

TIMES = 50
CLOSE_SECONDS = 5


async def test_it_ends_whatever_it_was_about_to_tell(redis: Redis) -> None:
    for turns in range(TIMES):
        moves = Moves(redis.url)
        moves.tell([uuid4()])
        # A turn of the loop further each time: connecting, sending, reading, waiting.
        for _ in range(turns):
            await asyncio.sleep(0)
        await asyncio.wait_for(moves.aclose(), CLOSE_SECONDS)
