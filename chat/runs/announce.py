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
# The event loop alone would forget them.
_telling: set[asyncio.Task[None]] = set()


def group_of(owner_id: int) -> str:
    """The channel-layer group of all open pages of one person."""
    return f"person.{owner_id}"


async def announce(run: AgentRun, title: str, state: str) -> None:
    """`state`: new, running or finished."""
    about = {"id": str(run.conversation_id), "run_id": str(run.pk)}
    await _tell(run.owner_id, {**about, "title": title, "state": state})


async def announce_change(conversation: Conversation, state: str) -> None:
    """`state`: changed, deleted or restored."""
    about = {"id": str(conversation.pk), "run_id": None, "title": str(conversation)}
    await _tell(conversation.owner_id, {**about, "state": state})


async def _tell(owner_id: int, about: dict[str, Any]) -> None:
    """A dead channel layer costs this message only."""
    # A task of its own: Redis' client waits by Python 3.11's wait_for, which forgets that it was
    # cancelled where what it waits for has just come. A run would miss that it is to stop.
    telling = asyncio.create_task(_send(owner_id, about))
    _telling.add(telling)
    telling.add_done_callback(_telling.discard)
    await asyncio.wait({telling}, timeout=ANNOUNCE_TIMEOUT_SECONDS)


async def _send(owner_id: int, about: dict[str, Any]) -> None:
    message = {"type": "conversation.moved", **about}
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
