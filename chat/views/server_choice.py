"""Which MCP servers a conversation uses: what people choose from, and what they chose."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Count

from chat.models import Conversation, MCPTool
from chat.runs.tools.servers import servers_for
from chat.views.bodies import BadRequest

DOWN = {"down": "not reachable", "unauthorised": "needs authorisation"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerChoice:
    """A server in the composer's list, with how many tools it offers."""

    slug: str
    name: str
    tools: int
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
            tools=counts.get(server.pk, 0),
            is_on=server.slug not in off,
            trouble=DOWN.get(server.state, ""),
        )
        for server in servers
    ]


def servers_off(user_id: int, chosen: Collection[str] | None) -> list[str] | None:
    """The slugs that are off where exactly `chosen` are on; None where nothing was chosen.

    Raises BadRequest for a server that there is not, for this person.
    """
    if chosen is None:
        return None
    slugs = [server.slug for server in servers_for(user_id)]
    if unknown := sorted(set(chosen) - set(slugs)):
        names = ", ".join(slugs) or "none"
        raise BadRequest(
            f"There is no server named {unknown[0]!r} here. There are: {names}.",
            fields={"servers": f"No such server: {', '.join(unknown)}."},
        )
    return [slug for slug in slugs if slug not in chosen]
