"""Files and systemd units that the documentation names are in the repository."""

import re
from fnmatch import fnmatch

import pytest

from tests.docs.pages import ROOT, Page, pages

# What was decided is told as it was then.
LIVING = [page for page in pages() if not page.name.startswith(("docs/decisions", "CHANGELOG"))]
FOLDERS = ("chat", "chatsite", "deploy", "docs", "locale", "static", "templates", "tests")
# From the root, or from where docs/deploy.md puts it.
PATH = re.compile(rf"(?<![\w./-])(?:/opt/ferryline/)?((?:{'|'.join(FOLDERS)})/[\w./@*-]*[\w*])")
NAME = re.compile(r"(?<![\w/*@-])(\.?[\w-]+\.(?:conf|env|in|md|py|sh|toml|txt|yaml))(?![\w/])")
UNIT = re.compile(r"(?<![\w.-])[\w*-]+@?[\w*]*\.(?:service|timer)\b")
SYSTEMCTL = re.compile(r"systemctl (?!daemon)[a-z]+((?: [\w@.-]+)+)")
OF_DEBIAN = {"nginx.service", "postgresql.service", "redis-server.service"}


def each(pages: list[Page]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", pages, ids=lambda page: page.name)


@each(LIVING)
def test_files_are_there(page: Page) -> None:
    for code in page.code:
        for path in PATH.findall(code):
            assert list(ROOT.glob(path)), code


@each(LIVING)
def test_files_that_are_named_alone_are_somewhere(page: Page) -> None:
    deep = [ROOT / folder for folder in FOLDERS]
    found = [path for it in deep for depth in ("*", "*/*", "*/*/*") for path in it.glob(depth)]
    names = {path.name for path in (*ROOT.iterdir(), *found)}
    for code in page.code:
        assert set(NAME.findall(code)) <= names, code


@each(LIVING)
def test_units_of_systemd_are_in_deploy(page: Page) -> None:
    there = [path.name for path in (ROOT / "deploy").iterdir()]
    for code in page.code:
        for unit in units(code):
            assert unit in OF_DEBIAN or any(fnmatch(name, unit) for name in there), code


def units(code: str) -> set[str]:
    """Names of their files: `ferryline@8001` is one of ferryline@.service."""
    named = {word for words in SYSTEMCTL.findall(code) for word in words.split() if word[0] != "-"}
    whole = {word if word.endswith((".service", ".timer")) else f"{word}.service" for word in named}
    return {re.sub(r"@[^.]+", "@", unit) for unit in {*whole, *UNIT.findall(code)}}


def test_units_are_found_where_they_are_named() -> None:
    page = next(page for page in LIVING if page.name == "docs/deploy.md")

    assert {unit for code in page.code for unit in units(code)} == {
        *("ferryline*.service", "ferryline*.timer", "ferryline@.service"),
        *("ferryline-backup.timer", "nginx.service"),
    }
