"""Bodies as servers really send them, each with what it means. README.md says how to add one."""

import json
import random
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest

from chat.agent.ports import (
    ContentDelta,
    ProviderEvent,
    ReasoningDelta,
    StepFinished,
    ToolCallsAsked,
)
from chat.errors import ProviderError
from chat.providers.body import Body
from chat.providers.chunks import Answer
from chat.tools import ToolCall

FOLDER = Path(__file__).parent / "streams"
STREAMS = sorted(FOLDER.glob("*.stream"))
# Every way of its own that a server is known to have is a number with one file or more.
NUMBERS = range(1, 43)
CUTS = 50
SENTENCES = ("says", "problem", "feedback")

Outcome = list[dict[str, Any]]


def whole(body: bytes) -> list[bytes]:
    return [body]


def single_bytes(body: bytes) -> list[bytes]:
    return [body[at : at + 1] for at in range(len(body))]


def random_pieces(body: bytes) -> list[bytes]:
    chance = random.Random(body)
    places = sorted(chance.randint(0, len(body)) for _ in range(CUTS))
    return [body[start:end] for start, end in pairwise([0, *places, len(body)])]


@pytest.mark.parametrize("cut", [whole, single_bytes, random_pieces])
@pytest.mark.parametrize("path", STREAMS, ids=[path.stem for path in STREAMS])
def test_a_body_means_the_same_however_it_is_cut(
    path: Path, cut: Callable[[bytes], list[bytes]]
) -> None:
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))

    outcome = replay(cut(path.read_bytes()), expected.get("tools", []))

    assert fitted(outcome, expected["outcome"]) == expected["outcome"]
    ids = ids_in(outcome)
    assert len(set(ids)) == len(ids)


def test_every_number_has_a_body_and_every_body_an_outcome() -> None:
    assert {int(path.name[:2]) for path in STREAMS} == set(NUMBERS)
    assert [path.with_suffix(".json") for path in STREAMS] == sorted(FOLDER.glob("*.json"))


def replay(pieces: Iterable[bytes], known_tools: list[str]) -> Outcome:
    """What the pieces of a body mean; neighbouring deltas of one kind are joined."""
    outcome: Outcome = []
    try:
        for event in events_of(pieces, known_tools):
            outcome.append(plain(event))
    except ProviderError as error:
        feedback = {"feedback": error.feedback} if error.feedback else {}
        outcome.append({"error": error.code, "says": str(error), **feedback})
    return list(joined(outcome))


def events_of(pieces: Iterable[bytes], known_tools: list[str]) -> Iterator[ProviderEvent]:
    answer = Answer(known_tools=known_tools)
    body = Body(answer)
    for piece in pieces:
        if answer.is_done:
            break
        yield from body.feed(piece)
    yield from body.finish()
    yield from answer.finish()


def plain(event: ProviderEvent) -> dict[str, Any]:
    match event:
        case ContentDelta(text=text):
            return {"content": text}
        case ReasoningDelta(text=text):
            return {"reasoning": text}
        case ToolCallsAsked(calls=calls):
            return {"calls": [plain_call(call) for call in calls]}
        case StepFinished(finish_reason=reason, usage=usage):
            return {"finished": reason, **({"usage": dict(usage)} if usage else {})}
    raise AssertionError(event)


def plain_call(call: ToolCall) -> dict[str, Any]:
    found: dict[str, Any] = {"id": call.id, "name": call.name, "arguments": dict(call.arguments)}
    if call.problem:
        assert not found.pop("arguments")
        found |= {"invalid_arguments": call.invalid_arguments, "problem": call.problem}
    return found | ({"extra": dict(call.extra)} if call.extra else {})


def joined(outcome: Outcome) -> Iterator[dict[str, Any]]:
    for kind, events in groupby(outcome, key=lambda event: next(iter(event))):
        if kind in ("content", "reasoning"):
            yield {kind: "".join(event[kind] for event in events)}
        else:
            yield from events


def fitted(found: Any, expected: Any) -> Any:
    """What was found, in the words of what is expected where it fits.

    That is a part of a sentence, and "*" for an id that nobody can foresee.
    """
    if isinstance(found, list) and isinstance(expected, list):
        pairs = zip(found, expected, strict=False)
        return [fitted(*pair) for pair in pairs] + found[len(expected) :]
    if not (isinstance(found, dict) and isinstance(expected, dict)):
        return found
    fit = {key: fitted(value, expected.get(key)) for key, value in found.items()}
    for key in SENTENCES:
        if expected.get(key) and expected[key] in fit.get(key, ""):
            fit[key] = expected[key]
    if expected.get("id") == "*" and fit["id"]:
        fit["id"] = "*"
    return fit


def ids_in(outcome: Outcome) -> list[str]:
    return [call["id"] for event in outcome for call in event.get("calls", ())]
