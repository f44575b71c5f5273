"""What holds for any stream, whatever is in it and wherever the network cuts it."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Any

import httpx2
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chat.errors import ProviderError
from chat.providers.chunks import Answer
from chat.providers.sse import Frame, FrameDecoder
from tests.providers.test_streams import Outcome, replay, single_bytes

thoroughly = settings(
    deadline=None,
    # By hand: EXAMPLES=2000.
    max_examples=int(os.environ.get("EXAMPLES", "400")),
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
TOOLS = ["add", "add_all", "echo"]
WORDS = ["", "a", "<think>", "</think>", "<th", "stop", "length", "error", "\ud83d", "\ude00", "{}"]
# Among them what other decoders take for the end of a line, and what begins with its bytes.
CHARACTERS = "a: {\x00\t\x0b\x0c\x1c\x85\u2028\u2029\ufeffü渡🧭"
KEYS = (
    *("choices", "index", "delta", "message", "finish_reason", "usage", "error", "object"),
    *("content", "refusal", "reasoning", "reasoning_content", "reasoning_details", "thinking"),
    *("type", "text", "summary", "tool_calls", "id", "function", "name", "arguments", "extra"),
    *("code", "status", "metadata", "raw", "failed_generation", "prompt_tokens", "cost"),
    *("completion_tokens", "completion_tokens_details", "reasoning_tokens"),
)

words = st.sampled_from(WORDS) | st.text(max_size=4)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | words
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | words, inner, max_size=5)
    ),
    max_leaves=6,
)


def near(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object with some of these fields as they should be; once in a while, anything."""
    whole = st.fixed_dictionaries({}, optional=fields)
    return st.one_of([whole] * 9 + [values])


# Ids that look like those that are made up are left out: these are compared as "*".
ids = st.sampled_from(["", "c1", "c2", None])
names = st.sampled_from(["add", "add", "", "_all", "echo", None])
pieces_of_arguments = st.sampled_from(
    ["", "{}", '{"a"', ": 1}", '{"a": NaN}', '"', "[", "null", '"\ud83d"', None]
)
fragments = near(
    index=st.sampled_from([0, 0, 1, None, True, "0"]),
    id=ids,
    function=st.fixed_dictionaries({"name": names, "arguments": pieces_of_arguments | values}),
    extra_content=values,
)
deltas = near(
    content=words | st.lists(near(type=words, text=words, thinking=values), max_size=2),
    reasoning=words,
    reasoning_details=values,
) | st.fixed_dictionaries({"tool_calls": st.lists(fragments, max_size=3)})
choices = near(
    index=st.sampled_from([0, 0, 0, None, 1]),
    delta=deltas,
    finish_reason=st.sampled_from([None, None, "", "stop", "length", "tool_calls", "error"]),
)
chunks = near(
    choices=st.lists(choices, max_size=2),
    usage=near(prompt_tokens=st.integers(), cost=st.floats(), completion_tokens_details=values),
) | st.builds(lambda delta: {"choices": [{"delta": delta}]}, deltas)
endings = st.sampled_from([[], [{"choices": [{"delta": {}, "finish_reason": "stop"}]}]])
answers = st.builds(list.__add__, st.lists(chunks, max_size=4), endings)

line_ends = st.sampled_from([b"\n", b"\r", b"\r\n"])
tokens = st.sampled_from(
    [
        *(b"data", b"data:", b"data: ", b"event:", b"error:", b"id: 7", b":", b" ", b"[DONE]"),
        *(
            b"\n",
            b"\r",
            b"\r\n",
            b"\n\n",
            b"\r\r",
            b"\xef\xbb\xbf",
            b"\xe2\x80\xa8",
            b"\x85",
            b"{}",
        ),
    ]
)
anything = st.lists(tokens | st.binary(max_size=4), max_size=30).map(b"".join)
places = st.lists(st.integers(0, 2000), max_size=12)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Chunks as servers send them, with what stands between them."""
    end = draw(line_ends)
    body = b""
    for chunk in draw(answers):
        text = json.dumps(chunk, ensure_ascii=draw(st.booleans()))
        body += draw(st.sampled_from([b"", b": ping" + end, b"event: x" + end, b"data: " + end]))
        body += b"data: " + text.encode("utf-8", "replace") + end + end
    return body + draw(st.sampled_from([b"", b"data: [DONE]", b"data: [DONE]" + end + end]))


def field(name: str, colon: str, text: str) -> bytes:
    """A line of a well-formed stream, without its end."""
    return (name + colon + text if colon else name or ":").encode()


fields = st.builds(
    field,
    st.sampled_from(["data", "data", "event", "id", "retry", "other", "Data", ""]),
    st.sampled_from(["", ":", ": "]),
    st.text(CHARACTERS, max_size=6),
)


def cut(body: bytes, at: list[int]) -> list[bytes]:
    marks = sorted(place % (len(body) + 1) for place in at)
    return [body[start:end] for start, end in pairwise([0, *marks, len(body)])]


def decode(pieces: list[bytes]) -> list[Frame]:
    decoder = FrameDecoder()
    frames = [frame for piece in pieces for frame in decoder.feed(piece)]
    return [*frames, *decoder.flush()]


def meaning(pieces: list[bytes]) -> Outcome:
    """What a body means; ids that were made up are "*"."""
    outcome = replay(pieces, TOOLS)
    for event in outcome:
        for call in event.get("calls", ()):
            call["id"] = re.sub(r"^call_[0-9a-f]{32}$", "*", call["id"])
    return outcome


def oracle(pieces: list[bytes]) -> Iterator[Frame]:
    """Another decoder's frames. Where there is no data, it has events that we do not."""
    response = httpx2.Response(
        200,
        headers={"content-type": "text/event-stream"},
        content=iter(pieces),
        request=httpx2.Request("POST", "http://model.example"),
    )
    for event in httpx2.EventSource(response):
        if event.data:
            yield Frame(event=event.event, data=event.data)


@thoroughly
@given(anything, places)
@example(b"\xef\xbb\xbfdata: x\r\n\r\n", [1, 2, 11])
def test_frames_are_the_same_wherever_bytes_are_cut(body: bytes, at: list[int]) -> None:
    frames = decode([body])

    assert decode(cut(body, at)) == frames
    assert decode(single_bytes(body)) == frames


@thoroughly
@given(streams() | anything, places)
def test_an_answer_is_the_same_wherever_bytes_are_cut(body: bytes, at: list[int]) -> None:
    assert repr(meaning(cut(body, at))) == repr(meaning([body]))


@thoroughly
@given(st.lists(st.tuples(st.lists(fields, max_size=3), line_ends), max_size=5), line_ends, places)
def test_another_decoder_reads_the_same(
    blocks: list[tuple[list[bytes], bytes]], last: bytes, at: list[int]
) -> None:
    """It keeps a byte-order mark and drops what no blank line ends: these are left out here."""
    body = b"".join(end.join([*lines, b"", b""]) for lines, end in blocks) + last + last
    pieces = cut(body, at)

    assert [frame for frame in decode(pieces) if frame.data] == list(oracle(pieces))


@thoroughly
@given(answers | st.lists(values, max_size=2))
def test_no_chunk_raises_anything_but_a_provider_error(sent: list[Any]) -> None:
    answer = Answer(known_tools=TOOLS)

    with suppress(ProviderError):
        for chunk in sent:
            answer.read(json.dumps(chunk))
        list(answer.finish())


@thoroughly
@given(answers)
def test_what_is_given_out_can_be_written_as_json(sent: list[Any]) -> None:
    frames = [b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in sent]

    for event in replay(frames, TOOLS):
        assert json.dumps(event, allow_nan=False)


@thoroughly
@given(st.text(st.characters()) | values.map(json.dumps))
@example("[" * 100_000)
@example("9" * 5_000)
def test_no_document_raises_anything_but_it_should(text: str) -> None:
    with suppress(ProviderError):
        Answer().read(text)
    with suppress(ProviderError, ValueError):
        Answer().read_document(text.encode("utf-8", "surrogatepass"))
