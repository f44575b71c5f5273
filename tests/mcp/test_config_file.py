"""The configuration file: what it makes of servers, and how it tells of mistakes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from chat.errors import ConfigurationError
from chat.mcp.config import ServerConfig
from chat.mcp.config_file.read import read_config
from chat.mcp.credentials import masked

VARIABLES = {"TOKEN": "a-long-secret", "SHORT": "ab", "EMPTY": ""}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mcp.json"


def read(file: Path, servers: Any, **defaults: float) -> list[ServerConfig]:
    file.write_text(json.dumps({"mcpServers": servers}))
    return read_config(file, VARIABLES, **defaults)


def complaints(file: Path, text: str) -> list[str]:
    """The lines without the file's name, which each of them has."""
    file.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        read_config(file, VARIABLES)
    lines = str(refused.value).splitlines()
    assert all(line.startswith(f"{file}:") for line in lines)
    return [line.removeprefix(f"{file}:") for line in lines]


def complaint(file: Path, **server: Any) -> str:
    (line,) = complaints(file, json.dumps({"mcpServers": {"it": server}}))
    return line


def test_a_program_is_read_with_everything_that_belongs_to_it(file: Path) -> None:
    entry = {
        "type": "stdio",
        "command": "npx",
        "args": ["-y", "a-server", "--key=${TOKEN}"],
        "env": {"API_TOKEN": "Bearer ${TOKEN}", "MODE": "${EMPTY}x"},
        "cwd": "data",
        "timeout": 90,
    }

    (config,) = read(file, {"Büro Files": entry}, call_timeout_seconds=5, call_total_seconds=60)

    assert (config.slug, config.name, config.url) == ("buro-files", "Büro Files", "")
    assert config.command == "npx"
    assert config.args == ("-y", "a-server", "--key=a-long-secret")
    assert config.env == {"API_TOKEN": "Bearer a-long-secret", "MODE": "x"}
    assert config.cwd == str(file.parent / "data")
    assert (config.call_timeout_seconds, config.call_total_seconds) == (90, 90)


def test_an_address_is_read_with_its_headers_and_the_deployment_s_deadlines(file: Path) -> None:
    entry = {
        "type": "streamable-http",
        "url": "http://10.0.0.5/mcp?k=${TOKEN}",
        "headers": {"X-Key": "${SHORT}"},
    }

    (config,) = read(file, {"notes": entry}, call_timeout_seconds=5, call_total_seconds=60)

    assert (config.url, config.command) == ("http://10.0.0.5/mcp?k=a-long-secret", "")
    assert config.headers == {"X-Key": "ab"}
    assert config.may_be_private
    assert (config.call_timeout_seconds, config.call_total_seconds) == (5, 60)


def test_what_came_from_variables_or_stands_in_env_or_headers_is_masked(file: Path) -> None:
    entry = {
        "command": "serve",
        "args": ["--key=${TOKEN}", "--mode=${SHORT}"],
        "env": {"PASSWORD": "written down"},
    }

    (config,) = read(file, {"it": entry})

    shown = masked(" ".join([*config.args, *config.env.values()]), config.secrets)
    assert shown == "--key=… --mode=ab …"
    assert "secret" not in repr(config)
    assert "written down" not in repr(config)


def test_a_disabled_server_is_left_out_and_needs_no_variables(file: Path) -> None:
    off = {"command": "x", "env": {"A": "${MISSING}"}, "disabled": True}

    (config,) = read(file, {"off": off, "on": {"command": "y", "disabled": False}})

    assert config.name == "on"


def test_what_other_programs_keep_beside_the_servers_does_not_matter(file: Path) -> None:
    file.write_text('\ufeff{"theme": "dark", "mcpServers": {}}', encoding="utf-8")

    assert read_config(file, VARIABLES) == []


def test_all_mistakes_are_told_at_once_each_with_its_place(file: Path) -> None:
    text = """{
  "mcpServers": {
    "first": {"command": "x", "args": ["a", 2]},
    "second": {
      "url": "https://example.org/mcp",
      "headers": {
        "A": "ok",
        "B": "${NOPE} and ${NOPE}"
      },
      "colour": "red"
    },
    "third": {}
  }
}"""

    assert complaints(file, text) == [
        '3:45: "first" → "args" → no. 2 must be a text, in double quotes',
        '8:14: "second" → "headers" → "B" needs the variable NOPE, which is not set; set it in '
        "the environment or in .env (variables of the site itself, like SECRET_KEY, are kept "
        "from servers)",
        '10:7: "second" → "colour" is not known; remove it (known are type, timeout, disabled, '
        "command, args, env, cwd, url, headers)",
        '12:5: "third" needs either a "command" (a program to start) or a "url"',
    ]


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ({"command": "x", "url": "https://a"}, 'has a "command" and a "url"'),
        ({"command": ""}, '"command" must not be empty'),
        ({"command": ["npx"]}, '"command" must be a text'),
        ({"command": "x", "args": "-y"}, '"args" must be a list'),
        ({"command": "x", "args": ["a\0b"]}, "a character in it that may not be there"),
        ({"command": "x", "env": ["A=1"]}, '"env" must be an object'),
        ({"command": "x", "env": {"A": 1}}, '"env" → "A" must be a text'),
        ({"command": "x", "env": {"A=": "1"}}, "is no name of a variable"),
        ({"command": "x", "headers": {}}, "goes with a"),
        ({"command": "x", "type": "http"}, 'is "http", which needs a "url"'),
        ({"command": "x", "disabled": "no"}, '"disabled" must be true or false'),
        ({"command": "x", "timeout": 0}, '"timeout" must be a number above 0'),
        ({"command": "x", "timeout": True}, '"timeout" must be a number above 0'),
        ({"command": "x", "timeout": "60"}, '"timeout" must be a number above 0'),
        ({"command": "x", "timeout": float("nan")}, '"timeout" must be a number above 0'),
        ({"command": "x", "env": {"A": "${env:B}"}}, "written ${NAME}"),
        ({"url": "ftp://a"}, "must be an http:// or https:// address"),
        ({"url": "https://"}, "must be an http:// or https:// address"),
        ({"url": "https://a:99999/"}, "is no address"),
        ({"url": "https://me:pw@a/"}, "has a password in it"),
        ({"url": "https://a", "cwd": "x"}, "goes with a"),
        ({"url": "https://a", "type": "stdio"}, 'is "stdio", which needs a "command"'),
        ({"url": "https://a", "type": "sse"}, "which is not spoken here"),
        ({"url": "https://a", "type": 5}, 'must be "stdio" or "http"'),
        ({"url": "https://a b/"}, "has a blank in it"),
        ({"url": "https://a/\u200bb"}, "has a blank in it, or what cannot be seen"),
        ({"url": "https://a", "headers": {"A b": "1"}}, "is no name of a header"),
        ({"url": "https://a", "headers": {"Host": "b"}}, "is set by the connection itself"),
        ({"url": "https://a", "headers": {"content-length": "5"}}, "set by the connection"),
        ({"url": "https://a", "headers": {"A": "1\nB: 2"}}, "a character in it"),
    ],
)
def test_a_mistake_is_told_with_what_to_do(
    file: Path, server: dict[str, Any], expected: str
) -> None:
    assert expected in complaint(file, **server)


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        ('{"日本": {"command": "x"}}', '1:17: "日本" needs a letter'),
        ('{"Main": {"command": "x"}}', '1:17: "Main" is what MCP_SERVER_URL stands for'),
        ('{"a b": {"command": "x"}, "A-B": {"command": "y"}}', '1:42: "A-B" is the same as "a b"'),
        ('{"a": {"command": "x"}, "a": {"command": "y"}}', '1:40: "a" is there twice'),
        ('{"a": 5}', '1:22: "a" must be an object'),
        ("[]", "1:16: there must be an object"),
    ],
)
def test_names_are_each_server_s_own(file: Path, servers: str, expected: str) -> None:
    (line,) = complaints(file, f'{{"mcpServers": {servers}}}')

    assert line.startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", r"1:1: not JSON"),
        ("[]", r"1:1: there must be an object"),
        ('{\n "servers": {}\n}', r"1:1: there must be an object"),
        ('{"mcpServers": {\n  "a": {"command": "x",}\n}}', r"2:\d+: not JSON: .*comma"),
        ('{"mcpServers": {\n  // mine\n}}', r"2:3: not JSON: .*comments are not JSON"),
        ('{"mcpServers": ' * 60_000, r" it is nested too deeply"),
        (f'{{"mcpServers": "{"x" * (1 << 20)}"}}', r" it is larger than 1,048,576 bytes"),
    ],
    ids=["empty", "list", "other-key", "comma", "comment", "deep", "huge"],
)
def test_a_file_that_is_something_else_is_told_so(file: Path, text: str, expected: str) -> None:
    (line,) = complaints(file, text)

    assert re.match(expected, line)


def test_a_file_that_is_not_utf_8_is_told_so(file: Path) -> None:
    file.write_bytes(b'{"mcpServers":\n {"\xe4": {}}}')

    with pytest.raises(ConfigurationError, match=r"mcp\.json:2: not UTF-8"):
        read_config(file, VARIABLES)


def test_a_file_that_is_not_there_is_told_so(file: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"mcp\.json: it cannot be read: No such file"):
        read_config(file, VARIABLES)


def test_a_file_that_everybody_may_write_to_starts_no_programs(file: Path) -> None:
    file.write_text('{"mcpServers": {}}')
    file.chmod(0o646)

    with pytest.raises(ConfigurationError, match="chmod o-w"):
        read_config(file, VARIABLES)
