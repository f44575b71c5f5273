"""MCP servers as rows: which ones there are, and what a conversation may use of them."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from chat.mcp.config import ServerConfig, Tokens
from chat.mcp.credentials import filled_in
from chat.models import Conversation, MCPServer, MCPTool
from chat.models.rows import Prepared
from chat.policy import Decision, Policy
from chat.runs.pool import AWAY_ERRORS
from chat.runs.tools.policy import policy_for
from chat.runs.tools.tokens import StoredTokens
from chat.tools import Tool

logger = logging.getLogger(__name__)

Authorisation = MCPServer.Authorisation


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """`configs`: all servers in use. `slugs`: those that this conversation may use; of servers
    that people authorise for themselves, only with one of `personal`.

    `accepted`: the accepted fingerprint of each tool on record by (slug, name); "" where it is
    switched off. What `policy` denies is not offered, and denied again when it is called.
    """

    configs: list[ServerConfig]
    slugs: frozenset[str]
    personal: frozenset[Tokens]
    accepted: Mapping[tuple[str, str], str]
    policy: Policy

    def may_offer(self, tool: Tool) -> bool:
        """Nothing that is not on record: nobody could review it."""
        accepted = self.accepted.get((tool.server, tool.remote_name))
        is_accepted = bool(accepted) and accepted == tool.fingerprint
        return is_accepted and self.policy.verdict_on(tool).decision != Decision.DENY

    def is_on_record(self, tool: Tool) -> bool:
        return (tool.server, tool.remote_name) in self.accepted


def servers_in_use() -> list[MCPServer]:
    """The rows of the servers that may be used at all."""
    return _in_use()


_in_use = Prepared(lambda _: MCPServer.objects.filter(is_enabled=True).exclude(url="", command=""))
_tools = Prepared(
    lambda _: (
        MCPTool.objects.filter(server__is_enabled=True)
        .exclude(accepted_fingerprint="")
        .order_by()
        .values_list("server__slug", "name", "is_enabled", "accepted_fingerprint")
    )
)
_kept_to_groups = Prepared(
    lambda _: MCPServer.groups.through.objects.values_list("mcpserver__slug")
)
NOTHING = Access(
    configs=[],
    slugs=frozenset(),
    personal=frozenset(),
    accepted={},
    policy=Policy(rules=(), groups=frozenset(), trusted=frozenset()),
)


def read_access(conversation: Conversation) -> Access:
    """What the tools of a run are: asked anew for each run, so that a switch counts at once."""
    servers = servers_in_use()
    if not servers:
        return NOTHING
    closed = _closed_to(conversation.owner_id) | set(conversation.servers_off)
    found = (_usable_config(server, conversation.owner_id) for server in servers)
    configs = [config for config in found if config]
    return Access(
        configs=configs,
        policy=policy_for(conversation.owner_id, servers),
        personal=frozenset(c.tokens for c in configs if c.is_personal and c.tokens),
        slugs=frozenset(server.slug for server in servers if server.slug not in closed),
        accepted=read_accepted(),
    )


def read_accepted() -> dict[tuple[str, str], str]:
    """The accepted tools, as Access has them."""
    return {
        (slug, name): fingerprint if is_enabled else ""
        for slug, name, is_enabled, fingerprint in _tools()
    }


def _usable_config(server: MCPServer, user_id: int) -> ServerConfig | None:
    """None also for a row that holds what no form of ours would store: the others go on."""
    try:
        return config_of(server, user_id)
    except AWAY_ERRORS:
        raise
    except Exception:
        logger.exception("The configuration of the server %s cannot be read", server.slug)
        return None


def is_offered(conversation_id: UUID, tool: Tool) -> bool:
    """Whether a run that began now would be offered this tool."""
    access = read_access(Conversation.objects.get(pk=conversation_id))
    return tool.server in access.slugs and access.may_offer(tool)


def servers_for(user_id: int) -> list[MCPServer]:
    """The servers in use whose tools this person may use, by name."""
    closed = _closed_to(user_id)
    return [server for server in servers_in_use() if server.slug not in closed]


def _closed_to(user_id: int) -> set[str]:
    """The slugs of servers that are kept to groups this person is not in."""
    kept = {slug for (slug,) in _kept_to_groups()}
    if not kept:
        return kept
    through = MCPServer.groups.through.objects.filter(group__user=user_id)
    theirs = through.values_list("mcpserver__slug", flat=True)
    return kept - set(theirs)


def config_of(server: MCPServer, user_id: int | None = None) -> ServerConfig | None:
    """What the hub needs to know of a server; None for a row whose configuration is gone.

    With a person's own authorisation, where the server wants those.
    """
    config = _configured(server)
    if config is None or not server.url or server.authorisation == Authorisation.NONE:
        return config
    is_personal = server.authorisation == Authorisation.PERSONAL
    tokens = tokens_of(server, user_id if is_personal else None)
    return replace(config, tokens=tokens, is_personal=is_personal)


def tokens_of(server: MCPServer, user_id: int | None) -> StoredTokens:
    """Of this person, or the shared ones where there is none."""
    if server.authorisation == Authorisation.PERSONAL:
        place = reverse("authorisation", kwargs={"slug": server.slug})
        rows = server.authorisations.filter(user=user_id, user__isnull=False)
        hint = f"authorise it at {place}"
    else:
        rows = server.authorisations.filter(user=None)
        hint = "an admin has to authorise it"
    return StoredTokens(authorisation=rows.values_list("pk", flat=True).first(), hint=hint)


def _configured(server: MCPServer) -> ServerConfig | None:
    if server.source == MCPServer.Source.CONFIG:
        named = (c for c in settings.MCP_CONFIG_SERVERS if server.slug in slugs_of(c))
        found = (replace(config, slug=server.slug) for config in named)
        return next((replace(config, may_repeat=server.may_repeat) for config in found), None)
    return ServerConfig(
        slug=server.slug,
        name=server.name,
        url=server.url,
        headers=_headers(server),
        may_be_private=server.is_configured or settings.MCP_ALLOW_PRIVATE_NETWORKS,
        call_timeout_seconds=server.timeout_seconds or settings.TOOL_TIMEOUT_SECONDS,
        call_total_seconds=settings.TOOL_TOTAL_TIMEOUT_SECONDS,
        may_repeat=server.may_repeat,
    )


def _headers(server: MCPServer) -> dict[str, str]:
    headers = {
        name: filled_in(str(value), settings.MCP_SECRETS) for name, value in server.headers.items()
    }
    if server.source == MCPServer.Source.ENVIRONMENT and settings.MCP_API_KEY:
        headers["Authorization"] = f"Bearer {settings.MCP_API_KEY}"
    return headers


def slugs_of(config: ServerConfig) -> tuple[str, str]:
    """What a server of MCP_CONFIG may be called here; the second if the first was taken."""
    return config.slug, f"{config.slug}-{MCPServer.Source.CONFIG}"
