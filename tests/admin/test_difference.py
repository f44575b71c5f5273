"""What a reviewer reads of a changed definition: bounded, and nothing of it unseen."""

import time

import pytest

from chat.admin import difference
from chat.admin.difference import Piece
from chat.admin.shown import revealed


def test_words_that_differ_are_told_from_those_that_do_not() -> None:
    pieces = difference.words("Finds a file by name.", "Finds a file by its name.")

    assert pieces == [
        Piece("same", "Finds a file by "),
        Piece("added", "its "),
        Piece("same", "name."),
    ]


def test_lines_that_are_the_same_are_left_out_far_from_what_differs() -> None:
    old = {"a": {str(number): number for number in range(10, 60)}}
    new = {"a": old["a"] | {"30": "thirty"}}

    pieces = difference.lines(old, new)

    assert [piece.text.strip() for piece in pieces if piece.kind == "removed"] == ['"30": 30,']
    assert [piece.text.strip() for piece in pieces if piece.kind == "added"] == ['"30": "thirty",']
    gaps = [piece.text for piece in pieces if piece.kind == "gap"]
    assert gaps == ["19 equal lines", "28 equal lines"]
    assert sum(piece.kind == "same" for piece in pieces) == 6


def test_the_order_of_fields_is_no_difference() -> None:
    old, new = {"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}

    assert not [p for p in difference.lines(old, new) if p.kind in {"removed", "added"}]


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        ("\u200b", r"\u200b"),
        ("\u202e", r"\u202e"),
        ("\x1b", r"\u001b"),
        ("\u00a0", r"\u00a0"),
        ("\ufe0f", r"\ufe0f"),
        ("\u3164", r"\u3164"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_nobody_would_see_is_an_escape_and_looks_like_one(hidden: str, shown: str) -> None:
    assert revealed(f"a{hidden}b") == f'a<b class="unseen">{shown}</b>b'


def test_an_escape_that_is_plain_text_does_not_look_like_a_hidden_character() -> None:
    assert revealed(r"a\u200b <b>ü 漢</b>") == r"a\u200b &lt;b&gt;ü 漢&lt;/b&gt;"


def test_a_small_nest_that_would_fill_gigabytes_is_cut() -> None:
    deep: object = list(range(3_000))
    for _ in range(5_000):
        deep = [deep]
    began = time.monotonic()

    text = difference.pretty({"a": deep})

    assert len(text) < difference.MAX_CHARACTERS + 100
    assert text.endswith("… and more, which is not shown.")
    assert time.monotonic() - began < 6


def test_long_descriptions_that_share_nothing_are_compared_quickly() -> None:
    old = " ".join(f"a{number}" for number in range(100_000))
    new = " ".join(f"b{number}" for number in range(100_000))
    began = time.monotonic()

    pieces = difference.words(old, new)

    assert sum(len(piece.text) for piece in pieces) <= 2 * difference.MAX_CHARACTERS + 100
    assert pieces[-1] == Piece("gap", "… and more, which is not shown.")
    assert time.monotonic() - began < 6
