"""What was searched for, and where it stands in a text. Knows no database.

Words are runs of letters and digits; case and accents make no difference.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Self

from chat.text import clean

MAX_QUERY_CHARACTERS = 200
MAX_TERMS = 12
EXCERPT_CHARACTERS = 180
LEAD_CHARACTERS = 50

WORD = re.compile(r"[^\W_]+")
# What stands between two quotes belongs together; so do the words of an address.
TERM = re.compile(r'"([^"]*)"?|([^\s"]+)')

Range = tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """Terms that all have to be there; each is a word, or several in a row.

    `is_open`: the last word may be only the beginning of one: it is still being written.
    """

    terms: tuple[tuple[str, ...], ...]
    is_open: bool

    @classmethod
    def read(cls, text: str) -> Self:
        """Never raises; what holds no word at all has no terms."""
        text = unicodedata.normalize("NFC", clean(text))[:MAX_QUERY_CHARACTERS]
        found = (WORD.findall(quoted or plain) for quoted, plain in TERM.findall(text))
        terms = tuple(tuple(words) for words in found if words)[:MAX_TERMS]
        return cls(terms=terms, is_open=bool(terms) and text[-1] not in '" ')


@dataclass(frozen=True, kw_only=True, slots=True)
class Excerpt:
    """A piece of a text on one line; `marks` are the ranges in it that were searched for."""

    text: str
    marks: tuple[Range, ...]

    @property
    def parts(self) -> list[tuple[str, bool]]:
        """The text, cut at its marks: (piece, whether it is marked)."""
        edges = [0, *(edge for mark in self.marks for edge in mark), len(self.text)]
        pieces = [self.text[start:end] for start, end in pairwise(edges)]
        return [(piece, bool(number % 2)) for number, piece in enumerate(pieces) if piece]


def excerpt_of(text: str, query: Query) -> Excerpt:
    """A piece of the text around the first mark, with all marks in it."""
    first, _ = next(marks_in(text, query), (0, 0))
    start = _word_start(text, max(0, first - LEAD_CHARACTERS), first)
    end = start + EXCERPT_CHARACTERS
    if end < len(text):
        end = max(text.rfind(" ", first + 1, end), start + EXCERPT_CHARACTERS // 2)
    before, after = "…" if start else "", "…" if end < len(text) else ""
    piece = before + " ".join(text[start:end].split()) + after
    return marked(piece, query)


def marked(text: str, query: Query) -> Excerpt:
    """The whole text with its marks."""
    return Excerpt(text=text, marks=tuple(_merged(marks_in(text, query))))


def marks_in(text: str, query: Query) -> Iterator[Range]:
    """Where terms of the query stand, from the beginning on; they may overlap."""
    terms = [[fold(word) for word in term] for term in query.terms]
    begun = terms[-1] if query.is_open else None
    words: list[str] = []
    starts: list[int] = []
    for found in WORD.finditer(text):
        word = fold(found[0])
        words.append(word)
        starts.append(found.start())
        for term in terms:
            is_last = word.startswith(term[-1]) if term is begun else word == term[-1]
            if is_last and words[-len(term) : -1] == term[:-1]:
                yield starts[-len(term)], found.end()


@lru_cache(maxsize=20_000)
def fold(word: str) -> str:
    """The word without case and accents."""
    if word.isascii():
        return word.lower()
    letters = unicodedata.normalize("NFD", word.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _merged(marks: Iterator[Range]) -> list[Range]:
    merged: list[Range] = []
    for start, end in sorted(marks):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _word_start(text: str, earliest: int, first: int) -> int:
    """Where the excerpt begins: at a word, where one begins in time."""
    if earliest == 0:
        return 0
    space = text.find(" ", earliest, first)
    return earliest if space < 0 else space + 1
