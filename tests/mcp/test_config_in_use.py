"""MCP_CONFIG in use: at the start, on the console, and as rows for the admin."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings

from chat.mcp.config import ServerConfig
from chat.models import MCPServer
from chat.runs.tools.configured import settle_configured_servers
from chat.runs.tools.servers import config_of
from tests.mcp.children import SERVER, child
from tests.servers.model_server import ScriptedModelServer
from tests.start.steps import Installation


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mcp.json"


@pytest.fixture
def rows(database: None) -> Iterator[None]:
    yield
    MCPServer.objects.filter(slug__startswith="files").delete()


def settle(*configs: ServerConfig) -> None:
    # The others are those of a running site: they stay as they are.
    urls = dict(MCPServer.objects.values_list("slug", "url"))
    others = {"DEMO_MCP_URL": urls.get("demo", ""), "MCP_SERVER_URL": urls.get("main", "")}
    with override_settings(MCP_CONFIG_SERVERS=configs, **others):
        settle_configured_servers()


def row(slug: str) -> MCPServer:
    return MCPServer.objects.get(slug=slug)


def test_mistakes_end_the_start_with_all_of_them(file: Path, tmp_path: Path) -> None:
    file.write_text('{"mcpServers": {"a": {},\n "b": {"url": "${SECRET_KEY}"}}}')

    ended = Installation(tmp_path, MCP_CONFIG=str(file)).manage("check")

    first, *complaints = ended.stderr.splitlines()
    assert ended.returncode == 1
    assert first == "Configuration: MCP_CONFIG cannot be used."
    assert [line.removeprefix(f"{file}:").split(" ")[0] for line in complaints] == [
        "1:17:",
        "2:15:",
        "2:15:",
    ]
    # What belongs to the site is nobody else's, under whatever name it is asked for.
    assert "needs the variable SECRET_KEY" in ended.stderr


def test_ask_uses_the_servers_of_the_file(
    file: Path, tmp_path: Path, model_server: ScriptedModelServer
) -> None:
    entry = {"command": sys.executable, "args": [SERVER], "env": {"MODE": "${FERRY_MODE}"}}
    file.write_text(json.dumps({"mcpServers": {"Files": entry}}))
    installation = Installation(
        tmp_path,
        MCP_CONFIG=str(file),
        LLM_BASE_URL=model_server.base_url,
        FERRY_MODE="from-outside",
    )

    asked = installation.manage("ask", "--sse", "[[call environment {}]] [[then]] [[text done]]")

    assert asked.returncode == 0, asked.stderr
    assert "from-outside" in asked.stdout
    assert "SECRET_KEY" not in asked.stdout


def test_a_row_shows_what_is_started_without_its_secrets(rows: None) -> None:
    config = child("--key=canary-123", slug="files", secrets=("canary-123",))
    settle(config)

    with override_settings(MCP_CONFIG_SERVERS=[config]):
        assert config_of(row("files")) == config
    assert row("files").command == f"{sys.executable} -S {SERVER} --key=…"


def test_a_server_that_left_the_file_leaves_its_record_and_comes_back(rows: None) -> None:
    settle(child(slug="files"))
    first = row("files").pk

    settle()
    gone = row("files")
    settle(child(slug="files"))

    assert (gone.pk, gone.command) == (first, "")
    assert config_of(gone) is None
    assert row("files").pk == first
    assert row("files").command


def test_a_name_that_an_admin_has_given_away_stays_theirs(rows: None) -> None:
    MCPServer.objects.create(slug="files", name="Files", url="https://example.org/mcp")
    config = child(slug="files")

    settle(config)
    settle(config)

    assert row("files").url == "https://example.org/mcp"
    with override_settings(MCP_CONFIG_SERVERS=[config]):
        found = config_of(row("files-config"))
    assert found
    assert (found.slug, found.command) == ("files-config", sys.executable)


def test_a_header_that_somebody_wrote_into_the_row_as_a_number_is_sent_as_text(rows: None) -> None:
    server = MCPServer(slug="files", url="https://example.org/mcp", headers={"X-Team": 7})

    found = config_of(server)

    assert found
    assert found.headers == {"X-Team": "7"}
