"""What a model is shown of a long conversation: whole turns, and never half of a call."""

import random
from itertools import pairwise
from typing import Any

import pytest

from chat import transcript
from chat.agent.memory import BYTES_PER_TOKEN, Memory
from chat.tools import ToolCall
from chat.transcript import ChatMessage
from tests.agent.scripted import answers
from tests.servers.model_server import mismatch
from tests.servers.raw_server import ANSWER, refusal

TOO_LONG = refusal(400, message="This model's maximum context length is 8192 tokens.")


def turn(number: int, calls: int = 0, size: int = 40) -> list[ChatMessage]:
    asked = [ToolCall(id=f"c{number}.{at}", name="echo") for at in range(calls)]
    middle = [transcript.assistant("", asked)] if asked else []
    results = [transcript.tool(call.id, "x" * size) for call in asked]
    question, answer = transcript.user(f"q{number} {'y' * size}"), transcript.assistant("a", [])
    return [question, *middle, *results, answer]


def history(turns: int, calls: int = 2) -> list[ChatMessage]:
    found = [transcript.system("Be kind.")]
    for number in range(turns):
        found += turn(number, calls)
    return found


def questions(messages: list[dict[str, Any]]) -> list[str]:
    return [message["content"].split()[0] for message in messages if message["role"] == "user"]


@pytest.mark.parametrize("seed", range(100))
def test_any_size_leaves_whole_turns_the_newest_ones(seed: int) -> None:
    chance = random.Random(seed)
    turns = [turn(number, chance.randrange(4), chance.randrange(400)) for number in range(9)]
    messages = [transcript.system("Be kind."), *(message for one in turns for message in one)]
    memory = Memory(messages, max_tokens=chance.randrange(1, 3000))

    memory.fit([])
    for _ in range(chance.randrange(3)):
        memory.halve()

    kept = questions(memory.messages)
    assert memory.messages[0] == messages[0]
    assert mismatch(memory.messages) == ""
    assert kept == [f"q{number}" for number in range(memory.left_out, 9)]
    assert kept


def test_what_fits_is_the_most_that_fits() -> None:
    messages = history(20)
    sizes = [Memory(messages, max_tokens=size) for size in range(100, 6000, 100)]
    for memory in sizes:
        memory.fit([])

    left_out = [memory.left_out for memory in sizes]
    assert all(more >= less for more, less in pairwise(left_out))
    assert (left_out[0], left_out[-1]) == (19, 0)
    for memory, size in zip(sizes, range(100, 6000, 100), strict=True):
        written = sum(len(str(message)) for message in memory.messages)
        assert memory.left_out == 19 or written / BYTES_PER_TOKEN < size


async def test_a_full_context_is_asked_again_with_half_of_the_turns() -> None:
    events, server = await answers([TOO_LONG, TOO_LONG, ANSWER], history=history(8))

    assert [event.kind for event in events] == ["notice", "notice", "content", "done"]
    assert [event.data.get("turns_left_out") for event in events[:2]] == [4, 6]
    assert questions(server.requests[-1].body["messages"]) == ["q6", "q7", "hi"]
    assert all(mismatch(seen.body["messages"]) == "" for seen in server.requests)


async def test_a_question_that_alone_is_too_long_is_said_to_be() -> None:
    events, server = await answers([TOO_LONG], history=history(3))

    assert events[-1].kind == "error"
    assert "longer than the model can read" in events[-1].data["message"]
    assert questions(server.requests[-1].body["messages"]) == ["hi"]


async def test_a_known_context_is_kept_to_from_the_start() -> None:
    events, server = await answers([ANSWER], history=history(30), context_tokens=1000)

    shown = questions(server.requests[0].body["messages"])
    assert len(server.requests) == 1
    assert 2 < len(shown) < 30
    assert events[0].data["turns_left_out"] == 31 - len(shown)
    assert len(str(server.requests[0].body["messages"])) < 1000 * BYTES_PER_TOKEN
