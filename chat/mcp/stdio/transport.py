"""MCP over a child's pipes: one JSON-RPC message a line. Knows no process, only its pipes.

Own and not the SDK's (mcp 2.3.0), which keeps a line of any length in memory, may leave the
child behind when it is cancelled while it closes, and cannot say why a child ended.
https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#stdio
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCError, jsonrpc_message_adapter

from chat.mcp.config import ServerConfig
from chat.mcp.failures import TOO_LARGE, failed
from chat.mcp.stdio.child import Child, start
from chat.mcp.stdio.lines import Lines, TooLong
from chat.mcp.stdio.relay import KEPT_BYTES

logger = logging.getLogger(__name__)

Inbox = MemoryObjectSendStream[SessionMessage | Exception]
Outbox = MemoryObjectReceiveStream[SessionMessage]
Streams = tuple[
    MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]
]
REAP_SECONDS = 1
_SESSION_IS_OVER = (anyio.ClosedResourceError, anyio.BrokenResourceError)


@contextlib.asynccontextmanager
async def stdio_transport(config: ServerConfig) -> AsyncIterator[Streams]:
    """The streams that the SDK's client wants. Afterwards the child is gone, however we leave.

    Raises ConnectionError, in words for an admin, where the child could not be started and where
    it ended by itself.
    """
    child = await start(config)
    # No await from here to the `try`: it could be cancelled, and the child would be left alone.
    inbox, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, outbox = anyio.create_memory_object_stream[SessionMessage](0)
    receiving = asyncio.ensure_future(_receive(child, inbox))
    sending = asyncio.ensure_future(_send(child, outbox, inbox))
    try:
        yield incoming, outgoing
    except Exception as error:
        if receiving.done() and (reason := await child.why_it_ended()):
            raise ConnectionError(reason) from error
        raise
    finally:
        for stream in (incoming, outgoing, inbox, outbox):
            stream.close()
        try:
            await child.end()
        finally:
            receiving.cancel()
            sending.cancel()
            await asyncio.wait({receiving, sending}, timeout=REAP_SECONDS)


async def _receive(child: Child, inbox: Inbox) -> None:
    """Until the child says no more. When nobody listens any more, it is still heard out: a child
    that cannot write may never look at its stdin, and so never see that it shall end.
    """
    lines = Lines()
    with inbox:
        while chunk := await child.read():
            for line in lines.feed(chunk):
                if message := _message(line, child):
                    with contextlib.suppress(*_SESSION_IS_OVER):
                        await inbox.send(message)


def _message(line: bytes | TooLong, child: Child) -> SessionMessage | None:
    if isinstance(line, TooLong):
        if line.answers is None:
            logger.warning("MCP server %s: a message was too long and is left out", child.slug)
            return None
        error = failed(TOO_LARGE, is_sent=True)
        return SessionMessage(JSONRPCError(jsonrpc="2.0", id=line.answers, error=error))
    text = line.decode("utf-8", "replace")
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(text, by_name=False))
    except ValueError:
        # Greetings and forgotten prints, which have no place on stdout.
        child.relay.say(text[:KEPT_BYTES])
        return None


async def _send(child: Child, outbox: Outbox, inbox: Inbox) -> None:
    try:
        async for message in outbox:
            line = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            await child.write(line.encode() + b"\n")
    except OSError:
        # It may live on, but hears nothing more: those who wait for answers shall know.
        inbox.close()
