"""What people do to authorise a server, and what they see of it."""

import re
from urllib.parse import urlsplit

import httpx

from chat.models import MCPServer
from tests.people import Person
from tests.servers.oauth_server import OAuthServer
from tests.sse import Frame

PING = "[[call ping {}]][[then]][[text Done.]]"
WHOAMI = "[[call whoami {}]][[then]][[text Done.]]"
SLUG = "guarded"
PAGE = f"/tools/{SLUG}/authorisation/"
ADMIN_PAGE = f"/admin/chat/mcpauthorisation/servers/{SLUG}/"
CALLBACK = "/oauth/mcp/callback"


def post(person: Person, page: str, what: str, **fields: str) -> httpx.Response:
    found = re.search(r'csrfmiddlewaretoken" value="(\w+)"', person.http.get(page).text)
    assert found, f"{page} has a form"
    return person.http.post(f"{page}{what}/", data={"csrfmiddlewaretoken": found[1], **fields})


def sent_away(person: Person, page: str = PAGE) -> str:
    """The address at which this person is to authorise the server."""
    answer = post(person, page, "requests")
    assert answer.status_code == 200, answer.text
    found = re.search(r'href="(http[^"]+/authorize[^"]+)"', answer.text)
    assert found, answer.text
    return found[1].replace("&amp;", "&")


def agreed(address: str) -> str:
    """The path and query with which the authorisation server sends the person back."""
    answer = httpx.get(address)
    assert answer.is_redirect, answer.text
    back = urlsplit(answer.headers["location"])
    return f"{back.path}?{back.query}"


def authorise(person: Person, authority: OAuthServer, subject: str, page: str = PAGE) -> None:
    authority.subject = subject
    answer = person.http.get(agreed(sent_away(person, page)))
    assert (answer.status_code, answer.headers["location"]) == (303, page), answer.text


def results(seen: list[Frame]) -> list[str]:
    return [frame.data["result"] for frame in seen if frame.event == "tool_result"]


def notices(seen: list[Frame]) -> list[str]:
    return [frame.data["message"] for frame in seen if frame.event == "notice"]


def state(server: MCPServer) -> tuple[str, str]:
    server.refresh_from_db()
    return server.state, server.state_reason
