"""Announcements through Redis, as far as a run depends on them: it does not."""

import asyncio

import pytest
from channels_redis.core import RedisChannelLayer

from chat.models import Conversation
from chat.runs import announce
from tests.servers.redis import Redis

TIMES = 60
STOP_SECONDS = 5
HOUR = 3600


async def test_who_is_to_stop_hears_it_while_something_is_announced(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = Conversation(owner_id=1, title="A talk")

    async def work() -> None:
        await announce.announce_change(conversation, "changed")
        await asyncio.sleep(HOUR)

    for turns in range(TIMES):
        layer = RedisChannelLayer(hosts=[{"address": redis.url, "socket_timeout": 15}])
        monkeypatch.setattr(announce, "get_channel_layer", lambda layer=layer: layer)
        working = asyncio.create_task(work())
        # A turn of the loop further each time: connecting, sending, reading.
        for _ in range(turns):
            await asyncio.sleep(0)
        working.cancel()
        done, _ = await asyncio.wait({working}, timeout=STOP_SECONDS)
        assert done, turns
        await asyncio.gather(*announce._telling)
        await layer.close_pools()
