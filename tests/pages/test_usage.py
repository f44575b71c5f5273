"""What answers used, in words; and where the model's memory of a conversation begins."""

import re
from typing import Any

import pytest
from django.utils import timezone

from chat.models import AgentRun, Conversation
from chat.usage import Total, Usage, dollars
from tests.people import Person
from tests.sse import ask

ALL = {
    "input_tokens": 1204,
    "output_tokens": 356,
    "cached_tokens": 1000,
    "reasoning_tokens": 300,
    "cost": 0.0042,
}
DIVIDER = '<p class="memory">The model remembers from here on.</p>'


def answered(conversation: Conversation, question: str, **fields: Any) -> AgentRun:
    """A turn that is over."""
    last = conversation.messages.last()
    message = conversation.messages.create(role="user", content=question, parent=last)
    run = AgentRun.objects.create(
        conversation=conversation,
        owner=conversation.owner,
        message=message,
        status="completed",
        model_name="scripted",
        started_at=timezone.now(),
        finished_at=timezone.now(),
        **fields,
    )
    content = f"answer to {question}"
    conversation.messages.create(role="assistant", content=content, run=run, parent=message)
    return run


def shown(person: Person, conversation: Conversation, query: str = "") -> str:
    """The log of the page, without its templates."""
    page = person.http.get(conversation.get_absolute_url() + query).text
    return page[page.index('class="log"') : page.index('class="dock-place"')]


def facts(page: str) -> list[str]:
    """The lines of facts, without their tags and without times."""
    lines = re.findall(r'<span class="facts">(.*?)</span></div>|class="spent">(.*?)</p>', page)
    return [re.sub(r"<[^>]+>", "", usage or spent) for usage, spent in lines]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (ALL, "1,204 in (1,000 cached) · 356 out (300 thinking) · $0.0042"),
        ({"input_tokens": 1204, "output_tokens": 356}, "1,204 in · 356 out"),
        ({"output_tokens": 5}, "5 out"),
        ({"input_tokens": 0, "output_tokens": 0, "cost": 0}, "0 in · 0 out · $0.00"),
        ({"cached_tokens": 9}, ""),
        ({}, ""),
        ({"input_tokens": "12", "output_tokens": -1, "cost": True}, ""),
        ({"input_tokens": float("inf"), "cost": float("nan")}, ""),
    ],
)
def test_what_is_known_is_told_and_what_is_not_is_left_out(
    data: dict[str, Any], words: str
) -> None:
    assert " · ".join(Usage.from_json(data).parts) == words


@pytest.mark.parametrize(
    ("cost", "words"),
    [
        (12.3, "$12.30"),
        (1234.5, "$1,234.50"),
        (0.5, "$0.50"),
        (0.0042, "$0.0042"),
        (0.00000123, "$0.0000012"),
        (None, ""),
    ],
)
def test_prices_keep_two_digits_that_say_something(cost: float | None, words: str) -> None:
    assert dollars(cost) == words


def test_a_sum_says_how_many_answers_did_not_say() -> None:
    said, silent = Usage.from_json(ALL), Usage.from_json({})

    assert Total.of([said, said]).parts == ["3,120 tokens", "$0.0084"]
    assert Total.of([said, silent]).parts == ["1,560 tokens", "$0.0042", "1 answer did not say"]
    assert Total.of([said, silent, silent]).parts[-1] == "2 answers did not say"
    assert Total.of([silent, silent]).parts == []


def test_an_answer_shows_what_it_used(alice: Person) -> None:
    seen = ask(alice.api, "[[usage 1204 356]][[text Hello.]]")
    assert seen[-1].data["usage"] == {"input_tokens": 1204, "output_tokens": 356}

    page = shown(alice, Conversation.objects.get(owner=alice.user))

    assert "1,204 in</span> · <span>356 out</span>" in page
    assert "This chat" not in page


def test_an_answer_without_usage_shows_none(alice: Person) -> None:
    ask(alice.api, "[[text Hello.]]")

    page = shown(alice, Conversation.objects.get(owner=alice.user))

    assert 'class="facts"' in page
    assert not re.search(r"\d (in|out)\b|tokens|\$", page)


def test_the_newest_answer_shows_the_sum_of_the_conversation(alice: Person) -> None:
    conversation = Conversation.objects.create(owner=alice.user)
    for usage in (ALL, {}, {"input_tokens": 10, "output_tokens": 5}):
        answered(conversation, "q", usage=usage)

    page = shown(alice, conversation)

    # The second said nothing, the third not what it cost.
    sentence = "This chat: 1,575 tokens · $0.0042 · 2 answers did not say"
    assert page.count("This chat") == 1
    assert page.rindex('<span class="facts">') < page.index(sentence)


@pytest.mark.parametrize(("turns", "left_out"), [(3, 1), (3, 2), (52, 10)])
def test_a_line_shows_from_where_the_model_remembers(
    alice: Person, turns: int, left_out: int
) -> None:
    conversation = Conversation.objects.create(owner=alice.user)
    for number in range(turns):
        is_last = number == turns - 1
        answered(conversation, f"q{number}.", turns_left_out=left_out if is_last else 0)

    page = shown(alice, conversation)

    assert page.count(DIVIDER) == 1
    after = page[page.index(DIVIDER) :]
    assert re.findall(r'dir="auto">(q\d+\.)', after)[0] == f"q{left_out}."


def test_no_line_where_all_or_nothing_shown_is_remembered(alice: Person) -> None:
    conversation = Conversation.objects.create(owner=alice.user)
    for number in range(60):
        # Only the newest run counts.
        answered(conversation, f"q{number}.", turns_left_out=5 if number else 0)

    # It stands before the sixth turn, and the tenth is the first that is shown.
    assert DIVIDER not in shown(alice, conversation)
    assert shown(alice, conversation, "?turns=100").count(DIVIDER) == 1

    answered(conversation, "q60.")
    assert DIVIDER not in shown(alice, conversation, "?turns=100")


def test_admins_read_usage_cost_and_memory(alice: Person, carol: Person) -> None:
    conversation = Conversation.objects.create(owner=alice.user, model_name="scripted")
    run = answered(conversation, "q", usage=ALL, turns_left_out=7)
    silent = answered(conversation, "q")

    detail = carol.http.get(f"/admin/chat/agentrun/{run.pk}/change/").text
    empty = carol.http.get(f"/admin/chat/agentrun/{silent.pk}/change/").text
    listed = carol.http.get("/admin/chat/agentrun/", params={"q": alice.username}).text

    assert "1,204 in (1,000 cached) · 356 out (300 thinking) · $0.0042" in detail
    assert re.search(r"Turns left out:</label>\s*<div class=\"readonly\">7</div>", detail)
    assert '<div class="readonly">unknown</div>' in empty
    assert '<td class="field-tokens">1,560</td><td class="field-cost">$0.0042</td>' in listed
    assert '<td class="field-tokens">–</td><td class="field-cost">–</td>' in listed
