"""What the hub sees of MCP servers, kept in their rows: their state, their tools, each change."""

import asyncio
import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import mcp.types
from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone

from chat.mcp.definitions import Catalog, to_json
from chat.mcp.health import ServerHealth
from chat.models import MCPServer, MCPTool
from chat.runs.pool import AWAY_ERRORS, in_writer

logger = logging.getLogger(__name__)

SETTLE_SECONDS = 3
RETRY_SECONDS = 5


class ServerStates:
    """Writes what the hub sees of a server to its rows, without making the hub wait.

    In the order in which it was seen: PostgreSQL takes several writes at a time. What cannot be
    written because the database is away is tried again, until something newer was seen.
    """

    def __init__(self) -> None:
        self._writing: set[asyncio.Task[Any]] = set()
        self._newest: dict[str, ServerHealth] = {}
        self._turn = asyncio.Lock()

    def changed(self, health: ServerHealth) -> None:
        self._newest[health.slug] = health
        task = asyncio.ensure_future(self._save(health))
        self._writing.add(task)
        task.add_done_callback(self._saved)

    async def put_on_record(self, slugs: Collection[str]) -> None:
        """What was seen last of these servers is written; or SETTLE_SECONDS have passed.

        Once more if it was before: an admin may have deleted a server and added it anew.
        """
        for slug in self._newest.keys() & slugs:
            self.changed(self._newest[slug])
        if self._writing:
            await asyncio.wait(set(self._writing), timeout=SETTLE_SECONDS)

    async def _save(self, health: ServerHealth) -> None:
        while True:
            async with self._turn:
                try:
                    return await in_writer(save, health)
                except AWAY_ERRORS as error:
                    logger.warning(
                        "The state of the MCP server %s could not be saved: %s", health.slug, error
                    )
            await asyncio.sleep(RETRY_SECONDS)
            if self._newest[health.slug] is not health:
                return None

    def _saved(self, task: asyncio.Task[Any]) -> None:
        self._writing.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.warning("The state of an MCP server could not be saved: %s", error)


def save(health: ServerHealth) -> None:
    """Keep a server's state and, where it has just listed them, its tools."""
    values: dict[str, Any] = {"state": health.state, "state_reason": health.reason}
    if health.state == "ready":
        values["last_seen_at"] = timezone.now()
        values["protocol_version"] = health.protocol_version
    rows = MCPServer.objects.filter(slug=health.slug)
    if rows.update(**values) and health.state == "ready":
        _save_tools(rows.get(), health.catalog)


def _save_tools(server: MCPServer, catalog: Catalog) -> None:
    """Each by itself: one that cannot be stored keeps no other off the record."""
    known = {tool.name: tool for tool in server.tools.all()}
    for definition in catalog.definitions:
        name = definition.name
        tool = known.pop(name) if name in known else MCPTool(server=server, name=name)
        with _alone(tool):
            _see(tool, definition, catalog.fingerprints[name])
    for name, problem in catalog.set_aside.items():
        tool = known.pop(name) if name in known else MCPTool(server=server, name=name)
        if tool.problem != problem or not tool.is_listed:
            tool.problem, tool.is_listed = problem, True
            with _alone(tool):
                tool.save()
    gone = [tool.pk for tool in known.values() if tool.is_listed]
    MCPTool.objects.filter(pk__in=gone).update(is_listed=False)


@contextmanager
def _alone(tool: MCPTool) -> Iterator[None]:
    try:
        yield
    except AWAY_ERRORS:
        raise
    except IntegrityError:
        logger.info("Another process has just stored the tool %r of %s", tool.name, tool.server)
    except Exception:
        logger.exception("The tool %r of %s could not be stored", tool.name, tool.server)


def _see(tool: MCPTool, definition: mcp.types.Tool, fingerprint: str) -> None:
    """Note what the server says a tool is; the first definition is the accepted one."""
    if tool.fingerprint == fingerprint and tool.is_listed and not tool.problem:
        return
    tool.definition, tool.fingerprint = to_json(definition), fingerprint
    tool.problem, tool.is_listed = "", True
    if not tool.accepted_fingerprint or _is_accepted_unseen(tool):
        tool.accepted_definition, tool.accepted_fingerprint = tool.definition, fingerprint
    elif tool.is_changed:
        tool.changed_at = timezone.now()
        logger.warning(
            "The tool %s of %s has changed: it waits for a review", tool.name, tool.server
        )
    tool.save()


def _is_accepted_unseen(tool: MCPTool) -> bool:
    """Ours come with our own updates; those that only read, where the deployment says so."""
    if tool.server.source == MCPServer.Source.DEMO:
        return True
    # Also before: else a tool that writes would only have to say otherwise.
    both = (tool.definition, tool.accepted_definition)
    hints = [(definition.get("annotations") or {}).get("readOnlyHint") for definition in both]
    return bool(settings.MCP_ACCEPT_CHANGED_READ_ONLY and all(hints))
