"""Settings: nonsense is one sentence at the start, and every one of them is explained."""

import re
from pathlib import Path
from typing import ClassVar

import pytest
from django.core.exceptions import ImproperlyConfigured

from chatsite.env import Environment, lines_of
from tests.servers.site import ROOT
from tests.start.steps import Installation

READ = re.compile(r'(?:env\.\w+|positive|whole|switch|key|web_address|address)\(\s*"([A-Z_]+)"')
# Set by us for a process of ours.
INTERNAL = {"DEMO_MCP_URL"}


def names() -> set[str]:
    files = (ROOT / "chatsite").glob("settings*.py")
    return {name for file in files for name in READ.findall(file.read_text())}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_TOOL_ITERATIONS", "many"),
        ("PORT", "eight thousand"),
        ("LLM_BASE_URL", "localhost:11434"),
        ("ALLOWED_HOSTS", "*"),
        ("SQLITE_SYNCHRONOUS", "OFF"),
        ("SECRET_KEY", ""),
        ("HTTPS", "maybe"),
        ("MCP_TOKEN_KEY", "short"),
        ("MCP_ALLOW_PRIVATE_NETWORKS", "sometimes"),
        ("REDACT_PATTERNS", "("),
        ("REDACT_PATTERNS", "x*"),
        ("RETENTION_EVENTS_DAYS", "soon"),
        ("RETENTION_EVENTS_DAYS", "1e7"),
        ("APPROVAL_TIMEOUT_HOURS", "1e8"),
        ("ALLOWED_HOSTS", " * "),
        ("ALLOWED_HOSTS", "https://chat.example.org"),
        ("REDIS_URL", "localhost"),
        ("REDIS_URL", "http://localhost:6379"),
        ("DATABASE_URL", "foo"),
        ("DATABASE_URL", "mysql://localhost/x"),
        ("LLM_BASE_URL", "http://localhost:99999/v1"),
        ("MCP_API_KEY", "ключ"),
        ("LLM_MODEL", "m" * 201),
    ],
)
def test_nonsense_is_one_sentence(bare: Installation, name: str, value: str) -> None:
    ended = bare.manage("check", **{name: value})

    assert ended.returncode == 1
    assert ended.stderr.startswith("Configuration: ")
    assert name in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1\nB = 2\n  C=3\nexport  D =4\n", {"A": "1", "B": "2", "C": "3", "D": "4"}),
        ("\ufeffA=1\r\nB=2 \r\n", {"A": "1", "B": "2"}),
        ("\n# A=1\n  # B=2\nC=x#y=z\nD=\n", {"C": "x#y=z", "D": ""}),
        ("A=' 1 '\nB = \" 2\"\n", {"A": " 1 ", "B": " 2"}),
    ],
)
def test_a_file_of_settings_is_read_however_it_was_written(
    tmp_path: Path, text: str, expected: dict[str, str]
) -> None:
    class Apart(Environment):
        ENVIRON: ClassVar[dict[str, str]] = {}

    path = tmp_path / ".env"
    path.write_bytes(text.encode())

    Apart.read_env(lines_of(path))

    assert expected == Apart.ENVIRON
    assert lines_of(tmp_path / "nowhere").read() == ""


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"A=1\nLLM_API_KEY: canary\n", "Line 2 of .env is not NAME=value."),
        (b"my key=canary", "Line 1 of .env is not NAME=value."),
        (b"=canary", "Line 1 of .env is not NAME=value."),
        (b"A=canary\xe4", ".env is not UTF-8; save it as UTF-8."),
    ],
)
def test_what_is_no_setting_is_a_sentence_that_tells_no_secret(
    tmp_path: Path, data: bytes, sentence: str
) -> None:
    path = tmp_path / ".env"
    path.write_bytes(data)

    with pytest.raises(ImproperlyConfigured) as refused:
        lines_of(path)

    assert str(refused.value) == sentence


def test_a_value_is_read_as_it_stands(bare: Installation) -> None:
    names = ["SECRET_KEY", "SECRET_KEY_FALLBACKS", "LLM_API_KEY", "ALLOWED_HOSTS"]
    asked = (
        f"from django.conf import settings; print([getattr(settings, name) for name in {names}])"
    )
    given = {
        "SECRET_KEY": "$ecret",
        "SECRET_KEY_FALLBACKS": "$before,older",
        "LLM_API_KEY": "$LLM_API_KEY",
        "ALLOWED_HOSTS": "chat.example.org, www.example.org",
    }

    ended = bare.manage("shell", "--no-imports", "-c", asked, **given)

    hosts = ["chat.example.org", "www.example.org"]
    read = ["$ecret", ["$before", "older"], "$LLM_API_KEY", hosts]
    assert ended.stdout.strip() == repr(read)


def test_every_setting_is_in_the_example_and_nothing_else() -> None:
    example = (ROOT / ".env.example").read_text()

    assert set(re.findall(r"^#([A-Z_]+)=", example, re.MULTILINE)) == names()


def test_every_setting_is_in_its_page() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    table = "".join(line for line in page.splitlines() if line.startswith("|"))

    assert set(re.findall(r"`([A-Z_]{4,})`", table)) >= names() - INTERNAL


def test_the_example_changes_nothing() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()

    assert [line for line in lines if line and not line.startswith("#")] == []
