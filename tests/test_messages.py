"""Everything that people read is marked, and there in every language; see tests/messages.py."""

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from babel.messages.catalog import Catalog, Message
from django.template.base import Lexer, TokenType

from tests.messages import DOMAINS, LOCALES, ROOT, compiled, found, is_translated, languages, read

PLACES = re.compile(r"%\(\w+\)s|\{\w+\}")
READ_ATTRIBUTES = {"alt", "aria-label", "placeholder", "title"}
# Names of elements.
SAME_EVERYWHERE = {"#ask"}
# What people are told by these has been through `say` or gettext.
SAY = {
    *(
        "ProviderError",
        "ContextTooLong",
        "LimitReached",
        "RunActive",
        "QuotaExceeded",
        "Restarting",
    ),
    *("Unusable", "AuthorisationFailed", "AuthorisationRefused", "ValidationError"),
    *("success", "warning", "done", "events.notice", "events.error"),
}
IN_SCRIPTS = re.compile(r'(?<!\bt\()(?<!, )["`]([A-Z][a-z]+ [^"`]*|[A-Z][a-z]+[.:…])["`]')


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("language", languages())
def test_every_text_is_there_in_every_language(language: str, domain: str) -> None:
    path = LOCALES / language / "LC_MESSAGES" / f"{domain}.po"
    catalog = read(path)

    renew = "run `make messages` and translate what is empty"
    assert keys(catalog) == keys(found(domain)), renew
    assert [each.id for each in texts(catalog) if not is_translated(each.string)] == [], renew
    assert [each.id for each in texts(catalog) if each.fuzzy] == []
    assert path.with_suffix(".mo").read_bytes() == compiled(catalog), "run `make messages`"


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("language", languages())
def test_translations_have_the_places_of_their_texts(language: str, domain: str) -> None:
    for message in texts(read(LOCALES / language / "LC_MESSAGES" / f"{domain}.po")):
        originals = [message.id] if isinstance(message.id, str) else message.id
        written = [message.string] if isinstance(message.string, str) else message.string
        wanted = set(PLACES.findall(originals[-1]))
        # A form for exactly one may do without its number.
        assert all(set(PLACES.findall(text)) <= wanted for text in written), message.id
        assert set(PLACES.findall(written[-1])) == wanted, message.id


def test_templates_hold_no_text_that_is_not_marked() -> None:
    unmarked = {
        f"{path.relative_to(ROOT)}: {text}"
        for path in sorted((ROOT / "templates").rglob("*.html"))
        for text in read_texts(path.read_text())
        if re.search(r"[A-Za-z]{2}", text) and text not in SAME_EVERYWHERE
    }
    assert unmarked == set()


def test_scripts_hold_no_sentence_that_is_not_marked() -> None:
    unmarked = {
        f"{path.relative_to(ROOT)}: {text}"
        for path in sorted((ROOT / "static" / "js").glob("*.js"))
        for line in path.read_text().splitlines()
        for text in IN_SCRIPTS.findall(line.partition("//")[0])
    }
    assert unmarked == set()


def test_what_is_raised_or_told_is_marked() -> None:
    unmarked = {
        f"{path.relative_to(ROOT)}:{argument.lineno}"
        for path in sorted((ROOT / "chat").rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func).removeprefix("messages.") in SAY
        for argument in call.args
        if isinstance(argument, ast.JoinedStr)
        or (isinstance(argument, ast.Constant) and " " in str(argument.value))
    }
    assert unmarked == set()


def texts(catalog: Catalog) -> Iterator[Message]:
    return (message for message in catalog if message.id)


def keys(catalog: Catalog) -> set[object]:
    return {(message.context, message.id) for message in texts(catalog)}


def read_texts(source: str) -> Iterator[str]:
    """What a template says itself: between tags, and in attributes that people read or hear."""
    page = Page()
    is_marked = False
    for token in Lexer(source).tokenize():
        if token.token_type is TokenType.BLOCK:
            is_marked = token.contents.startswith(("blocktranslate", "plural", "comment"))
        elif token.token_type is TokenType.TEXT and not is_marked:
            page.feed(token.contents)
    page.close()
    return iter(page.texts)


class Page(HTMLParser):
    """Sees the markup without what Django fills in."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._is_code = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._is_code = tag == "code"
        self.texts += [value for name, value in attributes if name in READ_ATTRIBUTES and value]

    def handle_endtag(self, tag: str) -> None:
        self._is_code = False

    def handle_data(self, data: str) -> None:
        if data.strip() and not self._is_code:
            self.texts.append(data.strip())
