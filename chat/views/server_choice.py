"""Which MCP servers a conversation uses: what people choose from, and what they chose."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Count
from django.utils.translation import gettext_lazy as _

from chat.models import Conversation, MCPServer, MCPTool
from chat.runs.tools.servers import servers_for
from chat.text import say
from chat.views.bodies import BadRequest

DOWN = {"down": _("not reachable"), "unauthorised": _("needs authorisation")}


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerChoice:
    """A server in the composer's list, with how many tools it offers.

    `tools` is None until somebody has used the server: then nobody knows.
    """

    slug: str
    name: str
    tools: int | None
    is_on: bool
    trouble: str = ""


def server_choices(user_id: int, conversation: Conversation | None) -> list[ServerChoice]:
    """The servers this person may use, as they are chosen in this conversation."""
    servers = servers_for(user_id)
    off = conversation.servers_off if conversation else []
    offered = MCPTool.objects.offered().filter(server__in=servers).order_by()
    counts = dict(offered.values_list("server").annotate(Count("pk")))
    return [
        ServerChoice(
            slug=server.slug,
            name=server.name,
            tools=_known(server, counts.get(server.pk, 0)),
            is_on=server.slug not in off,
            trouble=str(DOWN.get(server.state, "")),
        )
        for server in servers
    ]


def _known(server: MCPServer, count: int) -> int | None:
    return count if count or server.last_seen_at or server.state in DOWN else None


def tool_count(servers: Collection[ServerChoice]) -> int | None:
    """How many tools those that are on offer; None while that is not known of all of them."""
    counts = [server.tools for server in servers if server.is_on]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def servers_off(user_id: int, chosen: Collection[str] | None) -> list[str] | None:
    """The slugs that are off where exactly `chosen` are on; None where nothing was chosen.

    Raises BadRequest for a server that there is not, for this person.
    """
    if chosen is None:
        return None
    slugs = [server.slug for server in servers_for(user_id)]
    if unknown := sorted(set(chosen) - set(slugs)):
        names = ", ".join(slugs) or "none"
        sentence = say(
            "There is no server named {name} here. There are: {names}.",
            name=repr(unknown[0]),
            names=names,
        )
        raise BadRequest.of({"servers": sentence})
    return [slug for slug in slugs if slug not in chosen]
