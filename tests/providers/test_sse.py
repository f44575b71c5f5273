"""The frame decoder: the specification's rules, at any cut."""

import random

import pytest

from chat.errors import ProviderError
from chat.providers.sse import MAX_FRAME_BYTES, Frame, FrameDecoder

SAMPLE = (
    "\ufeffdata: first\n\n"
    ": a comment\n\n"
    "data:no space\r\n\r\n"
    "event: named\rdata: one\rdata: two\r\r"
    'data: {"text": "\u2028 \u2029 \x85 ü 😀"}\n\n'
    "id: 7\nretry: 100\nunknown\n\n"
    'error: {"message": "bad"}\n\n'
    "data\n\n"
    "data: [DONE]"
).encode()
EXPECTED = [
    Frame(data="first"),
    Frame(data="no space"),
    Frame(event="named", data="one\ntwo"),
    Frame(data='{"text": "\u2028 \u2029 \x85 ü 😀"}'),
    Frame(event="error", data='{"message": "bad"}'),
    Frame(data=""),
    Frame(data="[DONE]"),
]


def decode(pieces: list[bytes]) -> list[Frame]:
    decoder = FrameDecoder()
    frames = [frame for piece in pieces for frame in decoder.feed(piece)]
    return [*frames, *decoder.flush()]


def test_the_whole_sample_is_read_by_the_rules() -> None:
    assert decode([SAMPLE]) == EXPECTED


def test_byte_by_byte_gives_the_same() -> None:
    assert decode([SAMPLE[at : at + 1] for at in range(len(SAMPLE))]) == EXPECTED


@pytest.mark.parametrize("seed", range(50))
def test_any_cut_gives_the_same(seed: int) -> None:
    chance = random.Random(seed)
    cuts = sorted(chance.sample(range(len(SAMPLE)), 7))
    pieces = [SAMPLE[a:b] for a, b in zip([0, *cuts], [*cuts, len(SAMPLE)], strict=True)]
    assert decode(pieces) == EXPECTED


def test_a_line_that_never_ends_is_refused() -> None:
    decoder = FrameDecoder()
    assert list(decoder.feed(b"x" * MAX_FRAME_BYTES)) == []
    with pytest.raises(ProviderError):
        list(decoder.feed(b"x"))
