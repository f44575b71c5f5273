"""Colours for code whose language is named, within bounds. Knows no Django and no database.

Whoever writes the text chooses the language, and many of Pygments' lexers take minutes for a few
thousand characters made for it: so only well-known ones, only short pieces, and only for so long.
"""

import time
from collections.abc import Iterable, Iterator
from typing import Any

import pygments
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

# Of a block: what one match of one expression may take grows with the square of it.
MAX_CHARACTERS = 20_000
# Of one text's blocks together, in processor time. Well-meant code has 60,000 characters in it.
MAX_SECONDS = 0.1

# Not among them, for one match alone may take seconds: console, ini, matlab.
_NAMES = """
bash sh shell zsh c cpp c++ csharp cs c# clojure css scss dart diff udiff docker dockerfile
elixir go golang graphql haskell hs html xml java javascript js jsx json julia kotlin latex tex
lua makefile make markdown md nginx objective-c objc perl pl php powershell ps1 pycon python py
python3 r ruby rb rust rs scala sql swift toml typescript ts tsx yaml yml
"""
LANGUAGES = frozenset(_NAMES.split())

_formatter = HtmlFormatter(nowrap=True)


class TooSlow(Exception):
    """The time is up."""


class Colours:
    """Pygments' classes for the blocks of one text, for at most MAX_SECONDS; never a guess."""

    def __init__(self) -> None:
        self._left = MAX_SECONDS

    def html(self, code: str, language: str) -> str | None:
        """`code` as safe HTML whose text is the same, or None: show it without colours."""
        if language.lower() not in LANGUAGES or len(code) > MAX_CHARACTERS or self._left <= 0:
            return None
        # Blocks within Markdown could name any language again.
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False, handlecodeblocks=False)
        began = time.thread_time()
        try:
            tokens = _until(began + self._left, lexer.get_tokens(code))
            return pygments.format(tokens, _formatter)
        except TooSlow:
            return None
        finally:
            self._left -= time.thread_time() - began


def _until(ends: float, tokens: Iterable[Any]) -> Iterator[Any]:
    for token in tokens:
        yield token
        if time.thread_time() > ends:
            raise TooSlow
