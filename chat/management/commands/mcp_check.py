"""manage.py mcp_check: whether MCP servers answer, what they offer, whether a tool works."""

import asyncio
import json
import logging
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from chat.mcp.check import Findings, check, line
from chat.mcp.config import ServerConfig
from chat.models import MCPServer
from chat.runs.tools.servers import config_of
from chat.text import visible
from chat.tools import ToolCall


class Command(BaseCommand):
    help = "Connect to MCP servers, list their tools and say what was seen. Nothing is stored."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            *("server",), nargs="?", default="", help="its name, slug or address; else all in use"
        )
        parser.add_argument("--call", metavar="TOOL", help="call this tool of the server, too")
        parser.add_argument("--arguments", metavar="JSON", default="{}", help="for that call")

    def handle(self, *args: Any, **options: Any) -> None:
        # What the SDK has to log of a server's odd ways would stand between the findings.
        for name in ("mcp", "client"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        configs = chosen(options["server"])
        call = asked_call(options["call"], options["arguments"])
        if call and len(configs) != 1:
            raise CommandError("Name the server whose tool is to be called.")
        found = asyncio.run(check_all(configs, call))
        for findings in found:
            self._describe(findings)
        failures = [findings.failure for findings in found if not findings.is_good]
        if len(found) == 1 and failures:
            raise CommandError(failures[0])
        if failures:
            said = " ".join(failures)
            raise CommandError(f"{len(failures)} of {len(found)} MCP servers fail: {said}")

    def _describe(self, found: Findings) -> None:
        self.stdout.write(f"{found.name}: {MCPServer.State(found.state).label}")
        for text in found.lines():
            self.stdout.write(f"  {text}")
        for name, about in found.tools():
            self.stdout.write(f"    {name} · {about}".removesuffix(" · "))
        for name, why in found.catalog.set_aside.items():
            self.stdout.write(f"    {line(name)} is set aside: {why}")
        if found.result:
            self.stdout.write(f"  The call took {found.call_seconds:.2f} s. Its result:")
            self.stdout.write(visible(found.result.text))


def chosen(name: str) -> list[ServerConfig]:
    """The servers in use, or the one that is meant. Raises CommandError."""
    try:
        servers = known_servers()
    except DatabaseError as error:
        raise CommandError(f"The database cannot be read ({error}). Run setup first.") from error
    if not name:
        used = [config for server in servers if server.is_enabled and (config := config_of(server))]
        if not used:
            raise CommandError("No MCP server is in use.")
        return used
    for server in servers:
        if name in {server.slug, server.name, server.url} and (config := config_of(server)):
            return [config]
    if not name.startswith(("http://", "https://")):
        names = ", ".join(server.slug for server in servers) or "none"
        raise CommandError(f"There is no MCP server named {name!r}. Known are: {names}.")
    return [ServerConfig(slug="server", name=name, url=name, may_be_private=True)]


def known_servers() -> list[MCPServer]:
    """Those of the settings as they are now, also before the first start; others as stored."""
    source = MCPServer.Source
    rows = list(MCPServer.objects.all())
    slugs = {row.slug for row in rows if row.source == source.CONFIG}
    rows += [
        MCPServer(source=source.CONFIG, slug=config.slug, name=config.name, url=config.url)
        for config in settings.MCP_CONFIG_SERVERS
        if config.slug not in slugs
    ]
    if not any(row.source == source.ENVIRONMENT for row in rows):
        rows.append(MCPServer(source=source.ENVIRONMENT, slug="main", name="Tools"))
    for row in rows:
        if row.source == source.ENVIRONMENT:
            row.url = settings.MCP_SERVER_URL
    return [row for row in rows if row.url or row.source == source.CONFIG]


def asked_call(tool: str | None, arguments: str) -> ToolCall | None:
    """The call to be made. Raises CommandError."""
    if tool is None:
        return None
    try:
        parsed = json.loads(arguments)
    except ValueError as error:
        raise CommandError(f"The arguments are no JSON: {error}.") from error
    if not isinstance(parsed, dict):
        raise CommandError('The arguments must be a JSON object, as in {"text": "hello"}.')
    return ToolCall(id="check", name=tool, arguments=parsed)


async def check_all(configs: Sequence[ServerConfig], call: ToolCall | None) -> list[Findings]:
    """Side by side: all take as long as the slowest."""
    return await asyncio.gather(*(check(config, call) for config in configs))
