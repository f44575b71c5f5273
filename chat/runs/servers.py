"""MCP servers as rows: which ones are used, and what was last seen of them."""

import asyncio
import logging
from typing import Any

from django.conf import settings
from django.utils import timezone

from chat.mcp.config import ServerConfig
from chat.mcp.hub import ServerHealth
from chat.models import MCPServer
from chat.runs.pool import in_writer

logger = logging.getLogger(__name__)


def enabled_servers() -> list[ServerConfig]:
    """What the hub needs to know of each server that may be used."""
    return [
        ServerConfig(
            slug=server.slug,
            name=server.name,
            url=server.url,
            headers=_headers(server),
            call_timeout_seconds=settings.TOOL_TIMEOUT_SECONDS,
        )
        for server in MCPServer.objects.filter(is_enabled=True).exclude(url="")
    ]


def _headers(server: MCPServer) -> dict[str, str]:
    if server.source == MCPServer.Source.ENVIRONMENT and settings.MCP_API_KEY:
        return {"Authorization": f"Bearer {settings.MCP_API_KEY}"}
    return {}


def settle_configured_servers() -> None:
    """Make the rows of the servers that the deployment configured agree with the settings."""
    _settle(MCPServer.Source.DEMO, "demo", "Demo tools", settings.DEMO_MCP_URL)
    _settle(MCPServer.Source.ENVIRONMENT, "main", "Tools", settings.MCP_SERVER_URL)


def _settle(source: str, slug: str, name: str, url: str) -> None:
    rows = MCPServer.objects.filter(source=source)
    if not url:
        # The record of its calls stays; without an address it is not used.
        rows.exclude(url="").update(url="", state=MCPServer.State.UNKNOWN)
    elif not rows.exists():
        if MCPServer.objects.filter(slug=slug).exists():
            slug = f"{slug}-{source}"
        MCPServer.objects.create(source=source, slug=slug, name=name, url=url)
    else:
        rows.exclude(url=url).update(url=url, state=MCPServer.State.UNKNOWN)


class ServerStates:
    """Writes what the hub sees of a server to its row, without making the hub wait."""

    def __init__(self) -> None:
        self._writing: set[asyncio.Task[Any]] = set()

    def changed(self, health: ServerHealth) -> None:
        task = asyncio.ensure_future(in_writer(_save, health))
        self._writing.add(task)
        task.add_done_callback(self._saved)

    def _saved(self, task: asyncio.Task[Any]) -> None:
        self._writing.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.warning("The state of an MCP server could not be saved: %s", error)


def _save(health: ServerHealth) -> None:
    values: dict[str, Any] = {"state": health.state, "state_reason": health.reason}
    if health.state == "ready":
        values["last_seen_at"] = timezone.now()
        values["protocol_version"] = health.protocol_version
        values["tool_names"] = list(health.tool_names)
    MCPServer.objects.filter(slug=health.slug).update(**values)
