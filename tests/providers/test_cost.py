"""What a stream may cost: time that grows with its size only, and memory up to a bound."""

import json
import time
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain

import pytest

from chat.errors import ProviderError
from chat.providers.body import Body
from chat.providers.chunks import Answer
from chat.providers.sse import MAX_FRAME_BYTES, Frame, FrameDecoder

CHUNK_BYTES = 16 << 10
MEGABYTE = 1_000_000
LINE = b"data: " + b"x" * 120 + b"\n"


def frames(size: int) -> bytes:
    return (LINE + b"\n") * (size // len(LINE))


def long_lines(size: int) -> bytes:
    line = b"data: " + b"x" * (MEGABYTE // 2) + b"\n\n"
    return line * (size // len(line))


def one_line(size: int) -> bytes:
    return b"data: " + b"x" * size


def many_lines(size: int) -> bytes:
    """One frame of many lines."""
    return b"data:xxxxxxxxx\n" * (size // 15)


def blank_lines(size: int) -> bytes:
    return b"\r\n" * (size // 2)


def is_linear(half: Callable[[], object], whole: Callable[[], object]) -> bool:
    """Whether twice as much took at most three times as long, in the best of three tries."""
    return any(seconds(whole) <= 3 * seconds(half) for _ in range(3))


def seconds(work: Callable[[], object]) -> float:
    """Of this process alone: others may be busy."""
    began = time.process_time()
    work()
    return time.process_time() - began


def decode(body: bytes, step: int) -> None:
    decoder = FrameDecoder()
    for at in range(0, len(body), step):
        for _ in decoder.feed(body[at : at + step]):
            pass


@pytest.mark.parametrize(
    ("body", "size", "step"),
    [
        (frames, 10 * MEGABYTE, CHUNK_BYTES),
        (long_lines, 10 * MEGABYTE, CHUNK_BYTES),
        (blank_lines, 10 * MEGABYTE, CHUNK_BYTES),
        (frames, MEGABYTE, 1),
        (one_line, MEGABYTE, 1),
        (many_lines, MEGABYTE, 1),
    ],
)
def test_decoding_twice_as_much_takes_twice_as_long(
    body: Callable[[int], bytes], size: int, step: int
) -> None:
    half, whole = body(size // 2), body(size)

    assert is_linear(lambda: decode(half, step), lambda: decode(whole, step))


def deltas(count: int) -> Iterator[dict[str, object]]:
    for n in range(count):
        yield {"content": f" word {n}"}


def thoughts(count: int) -> Iterator[dict[str, object]]:
    yield {"content": "<think>"}
    for _ in range(count):
        yield {"content": "a < b"}


def halves(count: int) -> Iterator[dict[str, object]]:
    for _ in range(count):
        yield {"content": "\ud83d"}


def arguments(count: int) -> Iterator[dict[str, object]]:
    for n in range(count):
        piece = '"a", ' if n else '{"a": ['
        yield {"tool_calls": [{"index": 0, "function": {"name": "add", "arguments": piece}}]}


def calls(count: int) -> Iterator[dict[str, object]]:
    for n in range(count):
        call = {"index": n, "id": f"c{n}", "function": {"name": "add", "arguments": "{}"}}
        yield {"tool_calls": [call]}


@pytest.mark.parametrize("kind", [deltas, thoughts, halves, arguments, calls])
def test_reading_twice_as_many_chunks_takes_twice_as_long(
    kind: Callable[[int], Iterator[dict[str, object]]],
) -> None:
    half, whole = body_of(kind(5_000)), body_of(kind(10_000))

    assert is_linear(lambda: read(half), lambda: read(whole))


def body_of(deltas: Iterator[dict[str, object]]) -> bytes:
    chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    return b"".join(b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in chunks)


def read(data: bytes) -> None:
    """To an end that never comes well."""
    answer = Answer(known_tools=["add"])
    body = Body(answer)
    pieces = [data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES)]
    with pytest.raises(ProviderError):
        deque(chain(*map(body.feed, pieces), body.finish(), answer.finish()), maxlen=0)


@pytest.mark.parametrize(
    "line", [b"x" * CHUNK_BYTES, b"data: " + b"x" * 1000 + b"\n", b"data:ab\n", b"data\n"]
)
def test_what_never_ends_is_refused_in_bounded_memory(line: bytes) -> None:
    decoder = FrameDecoder()
    chunk = line * (CHUNK_BYTES // len(line))
    tracemalloc.start()
    try:
        with pytest.raises(ProviderError, match="more in one piece"):
            feed(decoder, chunk, 4 * MAX_FRAME_BYTES // len(chunk))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 2 * MAX_FRAME_BYTES + 2 * len(chunk)


def test_what_is_large_but_not_too_large_is_read() -> None:
    data = b"x" * (MAX_FRAME_BYTES - len(b"data: "))

    assert list(FrameDecoder().feed(b"data: " + data + b"\n\n")) == [Frame(data=data.decode())]


def feed(decoder: FrameDecoder, chunk: bytes, times: int) -> None:
    for _ in range(times):
        assert not list(decoder.feed(chunk))
