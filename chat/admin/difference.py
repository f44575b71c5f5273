"""What has changed between two definitions of a tool, as values to be shown. Untrusted: bounded,
and nothing in it stays unseen.
"""

import difflib
import itertools
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

Kind = Literal["same", "removed", "added", "gap"]
MAX_CHARACTERS = 40_000
MORE = _("… and more, which is not shown.")
CONTEXT_LINES = 3
# Blank, and in none of the categories that say so.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})
_VARIATIONS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0), range(0x180B, 0x1810))


@dataclass(frozen=True, slots=True)
class Piece:
    """A line or some words: in both texts, in the old one, in the new one, or left out here."""

    kind: Kind
    text: str


def lines(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Piece]:
    """The lines of two definitions as JSON: what differs, and a little around it."""
    before, after = pretty(old).splitlines(), pretty(new).splitlines()
    matcher = difflib.SequenceMatcher(None, before, after)
    pieces: list[Piece] = []
    end = 0
    for group in matcher.get_grouped_opcodes(CONTEXT_LINES):
        pieces += _gap(group[0][1] - end)
        pieces += _pieces(group, before, after)
        end = group[-1][2]
    return pieces + _gap(len(before) - end)


def words(old: str, new: str) -> list[Piece]:
    """The words of two texts, with the space between them."""
    before, after = (re.findall(r"\s+|[^\s]+", text[:MAX_CHARACTERS]) for text in (old, new))
    matcher = difflib.SequenceMatcher(None, before, after)
    pieces = _pieces(matcher.get_opcodes(), before, after)
    grouped = itertools.groupby(pieces, key=lambda piece: piece.kind)
    joined = [Piece(kind, "".join(piece.text for piece in group)) for kind, group in grouped]
    is_cut = max(len(old), len(new)) > MAX_CHARACTERS
    return [*joined, Piece("gap", str(MORE))] if is_cut else joined


def pretty(value: Mapping[str, Any]) -> str:
    """JSON in lines and in one order, up to MAX_CHARACTERS: small nests can fill gigabytes."""
    encoder = json.JSONEncoder(indent=2, ensure_ascii=False, sort_keys=True)
    text = ""
    for part in encoder.iterencode(value):
        text += part
        if len(text) > MAX_CHARACTERS:
            return f"{text[:MAX_CHARACTERS]}\n{MORE}"
    return text


def seen_and_unseen(text: str) -> Iterator[tuple[bool, str]]:
    """The text in runs: as it is, or, with True, the escapes of what nobody would see."""
    for is_unseen, run in itertools.groupby(text, key=_is_unseen):
        yield is_unseen, "".join(_escape(c) if is_unseen else c for c in run)


def _is_unseen(character: str) -> bool:
    if character in " \n" or "!" <= character <= "~":
        return False
    if character in _BLANK or unicodedata.category(character) in _UNSEEN_CATEGORIES:
        return True
    return any(ord(character) in those for those in _VARIATIONS)


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _pieces(
    opcodes: Sequence[tuple[str, int, int, int, int]], before: Sequence[str], after: Sequence[str]
) -> list[Piece]:
    pieces: list[Piece] = []
    for tag, old_from, old_to, new_from, new_to in opcodes:
        if tag == "equal":
            pieces += [Piece("same", text) for text in before[old_from:old_to]]
        else:
            pieces += [Piece("removed", text) for text in before[old_from:old_to]]
            pieces += [Piece("added", text) for text in after[new_from:new_to]]
    return pieces


def _gap(count: int) -> list[Piece]:
    if count < 1:
        return []
    lines = ngettext("%(count)s equal line", "%(count)s equal lines", count)
    return [Piece("gap", lines % {"count": count})]
