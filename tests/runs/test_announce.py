"""Announcements through Redis: a run does not depend on them, and they keep their order."""

import asyncio

import pytest
from channels_redis.core import RedisChannelLayer

from chat.models import AgentRun, Conversation
from chat.runs import announce
from tests.faults.proxy import Fault, Proxy
from tests.servers.redis import Redis

SECONDS = 5
# Redis answers some times before anything is sent.
SLOW = Fault(delay_seconds=0.05)


async def test_an_end_is_told_after_the_beginning_and_nobody_waits(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = AgentRun(owner_id=1, conversation=Conversation(owner_id=1))
    page = RedisChannelLayer(hosts=[redis.url])
    channel = await page.new_channel()
    await page.group_add(announce.group_of(1), channel)
    with Proxy(redis.port) as proxy:
        proxy.suffer_next(SLOW)
        layer = RedisChannelLayer(hosts=[f"redis://127.0.0.1:{proxy.port}/0"])
        monkeypatch.setattr(announce, "get_channel_layer", lambda: layer)

        begun = announce.announce(run, "A talk", "new")
        ended = announce.announce(run, "A talk", "finished", after=begun)

        assert not begun.done()
        async with asyncio.timeout(SECONDS):
            heard = [(await page.receive(channel))["state"] for _ in range(2)]
        await announce.all_told(SECONDS)
        assert ended.done()
        await layer.close_pools()
    await page.close_pools()
    assert heard == ["new", "finished"]
