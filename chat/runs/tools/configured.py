"""The servers that the deployment configured, as rows."""

from django.conf import settings
from django.db.models import QuerySet

from chat.mcp.credentials import masked
from chat.models import MCPServer
from chat.runs.tools.servers import slugs_of


def settle_configured_servers() -> None:
    """Make the rows of the servers that the deployment configured agree with the settings."""
    source = MCPServer.Source
    _settle(source.DEMO, "demo", name="Demo tools", url=settings.DEMO_MCP_URL)
    _settle(source.ENVIRONMENT, "main", name="Tools", url=settings.MCP_SERVER_URL)
    for config in settings.MCP_CONFIG_SERVERS:
        command = masked(" ".join([config.command, *config.args]), config.secrets)[:500]
        url = masked(config.url, config.secrets)
        _settle(source.CONFIG, config.slug, name=config.name, url=url, command=command)
    kept = [slug for config in settings.MCP_CONFIG_SERVERS for slug in slugs_of(config)]
    _retire(MCPServer.objects.filter(source=source.CONFIG).exclude(slug__in=kept))


def _settle(source: str, slug: str, *, name: str, url: str, command: str = "") -> None:
    rows = MCPServer.objects.filter(source=source)
    if source == MCPServer.Source.CONFIG:
        rows = rows.filter(slug__in=[slug, f"{slug}-{source}"])
    values = {"url": url, "command": command.strip()}
    if not any(values.values()):
        _retire(rows)
    elif not rows.exists():
        if MCPServer.objects.filter(slug=slug).exists():
            slug = f"{slug}-{source}"
        MCPServer.objects.create(source=source, slug=slug, name=name, is_trusted=True, **values)
    else:
        rows.exclude(**values).update(**values, state=MCPServer.State.UNKNOWN)


def _retire(rows: QuerySet[MCPServer]) -> None:
    """The record of its calls stays; without an address or a command it is not used."""
    gone = rows.exclude(url="", command="")
    gone.update(url="", command="", state=MCPServer.State.UNKNOWN)
