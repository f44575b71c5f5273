"""Tells a person's open pages which of their conversations moved, through the channel layer.

A page that misses an announcement misses nothing but a hint: what it shows comes from rows.
"""

import asyncio
import logging
from typing import Any

from channels.layers import get_channel_layer

from chat.models import AgentRun, Conversation

logger = logging.getLogger(__name__)

ANNOUNCE_TIMEOUT_SECONDS = 2
Telling = asyncio.Task[None]
# The event loop alone would forget them.
_telling: set[Telling] = set()


def group_of(owner_id: int) -> str:
    """The channel-layer group of all open pages of one person."""
    return f"person.{owner_id}"


def announce(run: AgentRun, title: str, state: str, after: Telling | None = None) -> Telling:
    """Tell of a run, once `after` is told; nobody waits. `state`: new, running or finished."""
    about = {"id": str(run.conversation_id), "run_id": str(run.pk)}
    return _tell(run.owner_id, {**about, "title": title, "state": state}, after)


def announce_change(conversation: Conversation, state: str) -> None:
    """Tell of a conversation; nobody waits. `state`: changed, deleted or restored."""
    about = {"id": str(conversation.pk), "run_id": None, "title": str(conversation)}
    _tell(conversation.owner_id, {**about, "state": state})


async def all_told(seconds: float) -> None:
    """Wait until what is being told is told, for `seconds` at most."""
    if _telling:
        await asyncio.wait(_telling, timeout=seconds)


def _tell(owner_id: int, about: dict[str, Any], after: Telling | None = None) -> Telling:
    # A task of its own: Redis may be slow, or not there at all. And its client waits by Python
    # 3.11's wait_for, which forgets that it was cancelled where what it waits for has just come: a
    # run would miss that it is to stop.
    telling = asyncio.create_task(_send(owner_id, about, after))
    _telling.add(telling)
    telling.add_done_callback(_telling.discard)
    return telling


async def _send(owner_id: int, about: dict[str, Any], after: Telling | None) -> None:
    """A dead channel layer costs this message only."""
    message = {"type": "conversation.moved", **about}
    if after and not after.done():
        await asyncio.wait({after})
    try:
        async with asyncio.timeout(ANNOUNCE_TIMEOUT_SECONDS):
            await get_channel_layer().group_send(group_of(owner_id), message)
    except Exception as error:  # Redis may fail in many ways; none may touch the run.
        logger.warning(
            "Other tabs were not told about conversation %s: %s", about["id"], error or type(error)
        )


def wire_form(message: dict[str, Any]) -> dict[str, Any]:
    """The announcement as the page's WebSocket gets it."""
    return {**message, "type": "conversation"}
