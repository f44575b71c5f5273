"""Tells a person's open pages which of their conversations moved, through the channel layer.

A page that misses an announcement misses nothing but a hint: what it shows comes from rows.
"""

import asyncio
import logging
from typing import Any

from channels.layers import get_channel_layer

from chat.models import AgentRun

logger = logging.getLogger(__name__)

ANNOUNCE_TIMEOUT_SECONDS = 2


def group_of(owner_id: int) -> str:
    """The channel-layer group of all open pages of one person."""
    return f"person.{owner_id}"


async def announce(run: AgentRun, title: str, state: str) -> None:
    """`state`: new, running or finished. A dead channel layer costs this message only."""
    message: dict[str, Any] = {
        "type": "conversation.moved",
        "id": str(run.conversation_id),
        "run_id": str(run.pk),
        "title": title,
        "state": state,
    }
    try:
        async with asyncio.timeout(ANNOUNCE_TIMEOUT_SECONDS):
            await get_channel_layer().group_send(group_of(run.owner_id), message)
    except Exception as error:  # Redis may fail in many ways; none may touch the run.
        logger.warning("Other tabs were not told about run %s: %s", run.pk, error or type(error))


def wire_form(message: dict[str, Any]) -> dict[str, Any]:
    """The announcement as the page's WebSocket gets it."""
    return {**message, "type": "conversation"}
