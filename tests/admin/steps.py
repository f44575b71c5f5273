"""What the tests of the admin do again and again."""

import re
from dataclasses import dataclass
from typing import Any

import httpx

from chat.models import MCPServer, MCPTool
from tests.people import Person
from tests.servers.bare_mcp_server import BareMCPServer
from tests.sse import Frame, ask, wait_until

SERVERS = "/admin/chat/mcpserver/"
TOOLS = "/admin/chat/mcptool/"


def definition(name: str, **values: object) -> dict[str, Any]:
    return {"name": name, "description": name, "inputSchema": {"type": "object"}} | values


def csrf_token(person: Person, page: str) -> str:
    found = re.search(r'csrfmiddlewaretoken" value="(\w+)"', person.http.get(page).text)
    return found[1] if found else ""


def post(person: Person, page: str, to: str = "", **fields: object) -> httpx.Response:
    """Fill in a form of an admin page, and send it to the page or to where it says."""
    form = {"csrfmiddlewaretoken": csrf_token(person, page), **fields}
    return person.http.post(to or page, data=form, headers={"Referer": person.site.url})


def outcomes(seen: list[Frame]) -> list[str]:
    """What became of the tool calls of an answer."""
    return [frame.data["outcome"] for frame in seen if frame.event == "tool_result"]


@dataclass(frozen=True, slots=True)
class Desk:
    """A server whose tools change, as the site knows it; Alice may use it."""

    server: BareMCPServer
    row: MCPServer
    alice: Person

    @property
    def page(self) -> str:
        return f"{SERVERS}{self.row.pk}/change/"

    def tool(self, name: str) -> MCPTool:
        return MCPTool.objects.get(server=self.row, name=name)

    def tool_page(self, name: str) -> str:
        return f"{TOOLS}{self.tool(name).pk}/change/"

    def offer(self, *definitions: Any) -> None:
        """Offer these from now on, and wait until the site has them on record."""
        self.server.definitions = list(definitions)
        before = MCPServer.objects.get(pk=self.row.pk)
        # Other settings are another connection, which lists the tools anew.
        seconds = (before.timeout_seconds or 1) + 1
        MCPServer.objects.filter(pk=self.row.pk).update(timeout_seconds=seconds)
        ask(self.alice.api, "[[text hello]]")
        wait_until(lambda: self._is_seen_after(before), what="the tools are on record")

    def _is_seen_after(self, before: MCPServer) -> bool:
        # Its tools are on record a moment after its state: ask for those, too.
        now = MCPServer.objects.get(pk=self.row.pk)
        listed = {d["name"]: d.get("description") for d in self.server.definitions if "name" in d}
        tools = MCPTool.objects.filter(server=self.row, is_listed=True)
        known = {t.name: t.definition.get("description") for t in tools if not t.problem}
        aside = {t.name for t in tools if t.problem}
        usable = {name: text for name, text in listed.items() if name not in aside}
        return now.last_seen_at != before.last_seen_at and known == usable
