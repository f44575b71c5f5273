"""What the documentation says is there: links, settings, commands, addresses, files, code."""

import ast
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand
from django.urls import is_valid_path

from tests.docs.pages import ROOT, Page, pages

PAGES = pages()
NAMES = {page.name: page for page in PAGES}
# Told as they were when they were decided.
OF_THEN = ("docs/decisions", "CHANGELOG")
LIVING = [page for page in PAGES if not page.name.startswith(OF_THEN)]
ANY_ID = "00000000-0000-0000-0000-000000000000"
OF_OTHERS = {
    *("HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "PATH", "HOME", "CI", "TOKEN", "NAME"),
    *("OLLAMA_CONTEXT_LENGTH", "GITHUB_TOKEN", "ROUNDS", "SHAPES", "DATABASE", "PORT"),
    *("BENCH_DATABASE_URL", "BENCH_ROUNDS", "RUN_ID", "FILE", "PICTURES"),
    "SITE_ADDRESS",
}


def each(pages: list[Page]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", pages, ids=lambda page: page.name)


@each(PAGES)
def test_links_lead_somewhere(page: Page) -> None:
    for link in page.links:
        path, _, anchor = link.partition("#")
        target = (ROOT / page.name).parent / path if path else ROOT / page.name
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in NAMES[str(target.resolve().relative_to(ROOT))].anchors, link


@each(LIVING)
def test_settings_exist(page: Page) -> None:
    known = set(re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    words = re.findall(r"(?<![\w.])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?![\w(])", page.text)
    assigned = [
        name
        for code in page.code
        for name in re.findall(r"(?<![\w/.-])([A-Z][A-Z_]{3,})(?=[=:])", code)
    ]

    assert {*words, *assigned} - known - OF_OTHERS - codes() == set()


def codes() -> set[str]:
    """Codes of errors and notices, which look like settings."""
    sources = " ".join(path.read_text() for path in (ROOT / "chat").rglob("*.py"))
    return set(re.findall(r"[\"']([A-Z]+(?:_[A-Z]+)+)[\"']", sources))


@each(LIVING)
def test_commands_can_be_given(page: Page) -> None:
    for words in commands(page, "manage.py"):
        name, *arguments = words
        if "FILE" in name or name.startswith("-"):
            continue
        assert name in get_commands(), words
        options = set(parser_of(name)._option_string_actions)
        given = {word.partition("=")[0] for word in arguments if word.startswith("--")}
        assert given <= options, words


def parser_of(name: str) -> BaseCommand:
    app = get_commands()[name]
    command = app if isinstance(app, BaseCommand) else load_command_class(app, name)
    return command.create_parser("manage.py", name)


@each(LIVING)
def test_targets_of_make_exist(page: Page) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    for words in commands(page, "make"):
        assert words[0] in targets, words


def commands(page: Page, program: str) -> Iterator[list[str]]:
    """The words after it, in each line that begins with it, or with a prompt's variables."""
    start = re.compile(rf"^(?:\S+=\S* )*(?:\S*python )?{re.escape(program)} ([^|>]+)")
    for line in page.code:
        line = line.removeprefix("export TOKEN=$(").removesuffix(")")
        if found := start.match(line):
            yield [
                word
                for word in shlex.split(found[1].replace("…", "X"), comments=True)
                if not re.match(r"[A-Z]+=", word)
            ] or ["-"]


@each(LIVING)
def test_addresses_are_routed(page: Page) -> None:
    text = re.sub(r"\b(RUN_ID|ID)\b|<id>", ANY_ID, " ".join(page.code))
    ours = r"(?:127\.0\.0\.1:\d+|(?<=\s)|^)(/(?:api|chat|admin)[\w/.-]*)"
    for address in re.findall(ours, text):
        assert is_valid_path(address) or address == "/api/", address


@each(LIVING)
def test_code_can_be_read(page: Page) -> None:
    for block in page.blocks:
        if block.startswith(("from ", "import ")):
            compile(block, page.name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            check_imports(block)
        elif block.startswith("{"):
            json.loads(block)


def check_imports(block: str) -> None:
    for module, names in re.findall(r"^from (chat[\w.]*) import (.+)$", block, re.MULTILINE):
        source = Path(ROOT, *module.split(".")).with_suffix(".py").read_text()
        for name in names.split(", "):
            assert re.search(rf"^(?:async def|def|class) {name}\b", source, re.MULTILINE), name


def test_what_one_is_said_to_see_is_said() -> None:
    """The quotes in the first column of the troubleshooting page stand in the sources."""
    page = NAMES["docs/troubleshooting.md"]
    files = [ROOT / "manage.py", *(ROOT / "chat").rglob("*.py")]
    files += (ROOT / "chatsite").rglob("*.py")
    files += [*(ROOT / "templates").rglob("*.html"), *(ROOT / "static" / "js").glob("*.js")]
    sources = re.sub(r"\"\s+f?\"|\s+", " ", " ".join(path.read_text() for path in files))
    columns = [line.split("|")[1] for line in page.text.splitlines() if line.startswith("|")]
    quotes = re.findall(r"\"([^\"]+)\"", " ".join(columns))

    assert len(quotes) >= 5
    for quote in quotes:
        parts = map(re.escape, quote.split("…"))
        assert re.search(".{0,40}".join(parts), sources), quote


def test_figures_for_prometheus_are_told() -> None:
    sources = " ".join(path.read_text() for path in (ROOT / "chat").rglob("*.py"))
    for page in LIVING:
        for name in re.findall(r"ferryline_\w+", page.text):
            assert re.sub(r"_(total|bucket|sum|count)$", "", name) in sources, (page.name, name)
