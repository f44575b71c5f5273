"""A canary in every slot for a secret: it is used, and sings nowhere."""

import io
import json
import secrets
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from django.conf import settings
from django.db import connection

from chat.models import MCPServer
from tests.people import PASSWORD, Person
from tests.servers.bare_mcp_server import BareMCPServer
from tests.servers.model_server import ScriptedModelServer
from tests.servers.site import Site
from tests.sse import ask, begin, read

AddServer = Callable[..., MCPServer]
OK = {"name": "ok", "description": "ok", "inputSchema": {"type": "object"}}
# Variables of the deployment that are nobody's but whom they are named for.
SLOTS = (
    *("SECRET_KEY_FALLBACKS", "ADMIN_PASSWORD", "OPENROUTER_API_KEY", "LLM_API_KEY"),
    *("MCP_API_KEY", "MCP_TOKEN_KEY", "METRICS_TOKEN", "FOR_A_HEADER", "FOR_A_FILE"),
)
PAGES = ("/", "/account/", "/archive/", "/search/?q=canary", "/nowhere/")
ADMIN_PAGES = (
    *("", "health/", "usage/", "model-checks/", "chat/mcpserver/", "chat/mcptool/"),
    *("chat/toolrun/", "chat/agentrun/", "chat/apitoken/", "chat/mcpauthorisation/", "auth/user/"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mine:
    """A site with canaries, whom its secrets are for, and where these may not be."""

    site: Site
    canaries: dict[str, str]
    tools: BareMCPServer
    files: BareMCPServer


@pytest.fixture
def mine(site: Site, new_site: Callable[..., Site], tmp_path: Path) -> Iterator[Mine]:
    canaries = {slot: f"canary-{slot}-{secrets.token_hex(16)}" for slot in SLOTS}
    canaries["IN_A_FILE"] = f"canary-{secrets.token_hex(16)}"
    file = tmp_path / "mcp.json"
    with BareMCPServer([OK]) as tools, BareMCPServer([OK]) as files:
        servers = {
            "canary-there": {"url": files.url, "headers": {"X-Key": canaries["IN_A_FILE"]}},
            "canary-away": {"url": "http://127.0.0.1:9/${FOR_A_FILE}/mcp"},
            "canary-none": {"command": "/nowhere/program", "args": ["${FOR_A_FILE}"]},
        }
        file.write_text(json.dumps({"mcpServers": servers}))
        file.chmod(0o600)
        named = {slot: value for slot, value in canaries.items() if slot in SLOTS}
        running = new_site(MCP_CONFIG=str(file), **named)
        yield Mine(site=running, canaries=canaries, tools=tools, files=files)
    MCPServer.objects.filter(slug__startswith="canary").delete()


@pytest.fixture
def alice(mine: Mine) -> Iterator[Person]:
    with Person("alice", mine.site) as person:
        yield person


@pytest.fixture
def carol(mine: Mine) -> Iterator[Person]:
    with Person("carol", mine.site, is_staff=True) as person:
        yield person


def stored() -> str:
    """All that the database holds, but for the keys of sessions, which it must know."""
    names = [name for name in connection.introspection.table_names() if "session" not in name]
    found = []
    with connection.cursor() as cursor:
        for name in names:
            # Names of tables, from the database itself.
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(name)}")
            found.append(f"{name}: {cursor.fetchall()}")
    return "\n".join(found)


def unpacked(archive: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(archive)) as found:
        return "\n".join(found.read(name).decode(errors="replace") for name in found.namelist())


def refusals(site: Site, alice: Person) -> Iterator[str]:
    """What is told to those who ask wrongly."""
    yield httpx.get(f"{site.url}/", headers={"Host": "evil.example"}).text
    yield httpx.get(f"{site.url}/metrics").text
    yield httpx.post(f"{site.url}/accounts/login/", data={"username": "x"}).text
    yield alice.api.post("/chat", content=b"{").text
    yield alice.api.get("/api/conversations/?page=x", headers={"Authorization": "Bearer x"}).text


def test_no_secret_is_anywhere_but_where_it_is_for(
    mine: Mine,
    alice: Person,
    carol: Person,
    add_server: AddServer,
    model_server: ScriptedModelServer,
) -> None:
    headers = {"Authorization": "Bearer ${FOR_A_HEADER}"}
    row = add_server(alice, mine.tools.url, slug="canary-row", headers=headers)
    away = add_server(alice, "http://127.0.0.1:9/mcp", slug="canary-gone", headers=headers)

    started = begin(alice.api, "[[call ok]][[call echo]][[then]][[text Hi.]]")
    read(alice.api, started["run_id"])
    ask(alice.api, "[[status 401]]")
    texts = {"refusals": "\n".join(refusals(mine.site, alice))}
    chat, export = (f"{at}/{started['conversation_id']}/" for at in ("/c", "/api/conversations"))
    forms = [f"{export}export/?format={kind}" for kind in ("json", "markdown")]
    texts |= {url: alice.http.get(url).text for url in (*PAGES, chat, *forms, export)}
    texts["own data"] = unpacked(alice.http.get("/account/data/").content)
    pages = [f"/admin/{page}" for page in ADMIN_PAGES]
    servers = [row, away, *MCPServer.objects.filter(slug__startswith="canary-")]
    pages += [f"/admin/chat/mcpserver/{server.pk}/change/" for server in servers]
    texts |= {url: carol.http.get(url).text for url in pages}
    token = {"Authorization": f"Bearer {mine.canaries['METRICS_TOKEN']}"}
    texts["metrics"] = httpx.get(f"{mine.site.url}/metrics", headers=token).text
    texts |= {"log": mine.site.log, "database": stored()}

    # They were used, and what is looked through is what there is.
    assert mine.tools.headers[-1]["authorization"] == f"Bearer {mine.canaries['FOR_A_HEADER']}"
    assert mine.files.headers[-1]["x-key"] == mine.canaries["IN_A_FILE"]
    keys = {headers.get("authorization") for headers, _ in model_server.requests}
    assert f"Bearer {mine.canaries['LLM_API_KEY']}" in keys
    assert "ferryline_" in texts["metrics"]
    assert started["run_id"].replace("-", "") in texts["database"].replace("-", "")
    canaries = mine.canaries | {"SECRET_KEY": settings.SECRET_KEY, "password": PASSWORD}
    canaries |= {"a token": alice.token, "a session": alice.session_cookie}
    sung = [
        (slot, at) for slot, value in canaries.items() for at, it in texts.items() if value in it
    ]
    assert sung == []
