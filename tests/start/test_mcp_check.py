"""manage.py mcp_check: whether MCP servers answer, what they offer, whether a tool works."""

import json
import subprocess
import time
from typing import Any

import pytest

from tests.prepared import migrate
from tests.servers.bare_mcp_server import BareMCPServer
from tests.servers.mcp_server import Era, ScriptedMCPServer, closed_port
from tests.start.steps import Installation

ANSI = "\x1b[31m"
SECONDS = 60


def check(
    installation: Installation, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    began = time.monotonic()
    done = installation.manage("mcp_check", *arguments, **environment)
    assert time.monotonic() - began < SECONDS
    assert "Traceback" not in done.stderr
    return done


def definition(name: str, **values: Any) -> dict[str, Any]:
    return {"name": name, "inputSchema": {"type": "object"}} | values


@pytest.mark.parametrize(("era", "said"), [("2025-11-25", "sessions"), ("2026-07-28", "stateless")])
def test_an_address_is_described(installation: Installation, era: Era, said: str) -> None:
    with ScriptedMCPServer(era=era) as server:
        done = check(installation, server.url)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{server.url}: Ready\n")
    assert f"It is scripted and speaks MCP {era} ({said})." in done.stdout
    assert "Connected and listed its tools after 0." in done.stdout
    assert "echo · Echo · Give the text back." in done.stdout


def test_what_servers_say_is_short_and_harmless_to_a_terminal(installation: Installation) -> None:
    hints = {"readOnlyHint": True, "idempotentHint": True}
    tools = [
        definition(
            "look", title="Look", description=f"First {ANSI}line\nSecond", annotations=hints
        ),
        definition("long", description="x" * 5_000),
        definition("odd", inputSchema="nothing"),
    ]
    with BareMCPServer(tools) as server:
        done = check(installation, server.url)

    assert "look · Look · First [31mline · [only reads, may be repeated]\n" in done.stdout
    assert "\x1b" not in done.stdout
    assert "Second" not in done.stdout
    assert "odd is set aside: its definition is not valid" in done.stdout
    assert max(map(len, done.stdout.splitlines())) < 200


def test_a_server_of_the_settings_is_known_before_the_first_start(
    installation: Installation,
) -> None:
    with BareMCPServer([definition("ok")]) as server:
        everything = check(installation, MCP_SERVER_URL=server.url, MCP_API_KEY="canary-91c")
        by_name = check(installation, "main", MCP_SERVER_URL=server.url)

    assert everything.returncode == by_name.returncode == 0
    assert everything.stdout.startswith("Tools: Ready\n")
    assert server.headers[0]["authorization"] == "Bearer canary-91c"
    assert "canary-91c" not in everything.stdout


def test_a_server_that_cannot_be_reached_is_one_sentence(installation: Installation) -> None:
    url = f"http://127.0.0.1:{closed_port()}/mcp"

    done = check(installation, url)

    assert done.returncode == 1
    assert done.stdout == f"{url}: Down\n"
    assert done.stderr == f"CommandError: {url} cannot be used: the connection was refused.\n"


def test_one_dead_server_of_several_is_named_and_the_others_described(
    bare: Installation, tmp_path_factory: pytest.TempPathFactory
) -> None:
    migrate(bare.environment["DATABASE_URL"])
    config = tmp_path_factory.mktemp("config") / "servers.json"
    with BareMCPServer([definition("ok")]) as alive:
        urls = {"alive": alive.url, "dead": f"http://127.0.0.1:{closed_port()}/mcp"}
        servers = {name: {"type": "http", "url": url} for name, url in urls.items()}
        config.write_text(json.dumps({"mcpServers": servers}))
        done = check(bare, MCP_CONFIG=str(config))

    assert done.returncode == 1
    assert "alive: Ready" in done.stdout
    assert "dead: Down" in done.stdout
    assert done.stderr == (
        "CommandError: 1 of 2 MCP servers fail: dead cannot be used: the connection was refused.\n"
    )


def test_a_tool_is_called(installation: Installation) -> None:
    with ScriptedMCPServer() as server:
        done = check(installation, server.url, "--call", "add", "--arguments", '{"a": 2, "b": 3}')

    assert done.returncode == 0
    assert server.calls == [("add", {"a": 2, "b": 3})]
    assert "The call took 0." in done.stdout
    assert '"sum": 5' in done.stdout


def test_a_tool_that_fails_has_its_say_and_the_command_fails_too(
    installation: Installation,
) -> None:
    with ScriptedMCPServer() as server:
        done = check(
            installation, server.url, "--call", "fail", "--arguments", '{"text": "too late"}'
        )

    assert done.returncode == 1
    assert "too late" in done.stdout
    assert done.stderr == "CommandError: fail has answered with an error.\n"


def test_without_a_database_it_says_what_to_do(bare: Installation) -> None:
    done = check(bare)

    assert done.returncode == 1
    assert "Run setup first." in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nobody"], "There is no MCP server named 'nobody'."),
        (["--call", "echo"], "No MCP server is in use."),
        (["URL", "--call", "echo", "--arguments", "{"], "The arguments are no JSON"),
        (["URL", "--call", "echo", "--arguments", "[]"], "must be a JSON object"),
        (["URL", "--call", "nothing"], "has no usable tool named 'nothing'."),
    ],
)
def test_what_makes_no_sense_is_one_sentence(
    installation: Installation, arguments: list[str], sentence: str
) -> None:
    with BareMCPServer([definition("ok")]) as server:
        done = check(installation, *(server.url if a == "URL" else a for a in arguments))

    assert done.returncode == 1
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert server.calls == []
