"""Search: what is found, what is marked, and what nobody else finds."""

import secrets
from typing import Any

import pytest

from chat.models import Conversation
from tests.people import Person
from tests.sse import begin, read

Json = dict[str, Any]


def had(person: Person, question: str, answer: str = "", title: str = "") -> Conversation:
    """A conversation as it is stored."""
    conversation = Conversation.objects.create(owner=person.user, title=title)
    message = conversation.messages.create(role="user", content=question)
    if answer:
        run = conversation.runs.create(
            owner=person.user, message=message, status="completed", model_name="none"
        )
        conversation.messages.create(role="assistant", content=answer, run=run, parent=message)
    return conversation


def found(person: Person, text: str, page: int = 1) -> Json:
    response = person.api.get("/api/search/", params={"q": text, "page": page})
    assert response.status_code == 200, response.text
    return dict(response.json())


def titles(person: Person, text: str) -> list[str]:
    return [hit["conversation"]["title"] for hit in found(person, text)["hits"]]


def marked(hit: Json) -> list[str]:
    return [hit["excerpt"][start:end] for start, end in hit["marks"]]


def test_what_was_asked_and_answered_is_found_once_it_is_stored(alice: Person) -> None:
    read(alice.api, begin(alice.api, "Tell me of boats [[text The otter sails.]]")["run_id"])

    (hit,) = found(alice, "OTTER")["hits"]

    assert (hit["where"], marked(hit)) == ("answer", ["otter"])
    assert hit["excerpt"] == "The otter sails."
    assert hit["conversation"]["title"].startswith("Tell me of boats")
    assert found(alice, "boats")["hits"][0]["where"] == "question"


def test_what_moved_last_stands_first_wherever_the_words_are(alice: Person) -> None:
    for title, question in (("Of otters", "Hm?"), ("Swimming", "Otters?"), ("All otters", "Hm?")):
        had(alice, question, title=title)

    assert titles(alice, "otters") == ["All otters", "Swimming", "Of otters"]


def test_a_title_is_found_as_it_is_now(alice: Person) -> None:
    conversation = had(alice, "Hm?", title="About marmots")
    url = f"/api/conversations/{conversation.pk}/"
    (hit,) = found(alice, "marmots")["hits"]
    assert (hit["where"], hit["title_marks"], hit["message_id"]) == ("title", [[6, 13]], None)

    alice.api.patch(url, json={"title": "About beavers"})

    assert titles(alice, "marmots") == []
    assert titles(alice, "beavers") == ["About beavers"]


def test_every_word_has_to_be_there_and_the_last_may_be_only_begun(alice: Person) -> None:
    had(alice, "The quick brown fox", title="fox")
    had(alice, "The quick red squirrel", title="squirrel")

    assert titles(alice, "quick") == ["squirrel", "fox"]
    assert titles(alice, "quick bro") == ["fox"]
    assert titles(alice, "bro quick") == []
    assert titles(alice, "quick bro ") == []
    assert titles(alice, '"quick brown"') == ["fox"]
    assert titles(alice, '"brown quick"') == []
    assert titles(alice, '"quick re') == ["squirrel"]


def test_words_of_addresses_names_and_code_are_found_alone_and_together(alice: Person) -> None:
    had(alice, "see https://docs.example.org/a_b.html, <div>mail@host.test</div> 3.14 é", title="x")

    for text in ("example", "docs.example.org", "a_b", "div", "host", "mail@host.test", "14", "É "):
        assert titles(alice, text) == ["x"], text
    assert titles(alice, "org.example") == []


def test_the_excerpt_is_short_and_has_its_marks_at_the_right_place(alice: Person) -> None:
    text = "word \n" * 3000 + "the  Naïve\nplan 😀 naïve, naïveté " + "and so on " * 3000
    had(alice, "?", text, title="plans")

    (hit,) = found(alice, '"naïve plan" naïve')["hits"]

    assert marked(hit) == ["Naïve plan", "naïve", "naïveté"]
    assert hit["excerpt"].startswith("…")
    assert hit["excerpt"].endswith("…")
    assert len(hit["excerpt"]) < 200


def test_each_conversation_is_one_hit_the_newest_first_in_pages(alice: Person) -> None:
    for number in range(25):
        had(alice, "a walrus", "the walrus again", title=f"number {number}")

    first, second = found(alice, "walrus"), found(alice, "walrus", 2)

    assert (first["total"], first["pages"], len(first["hits"])) == (25, 2, 20)
    seen = [hit["conversation"]["title"] for hit in first["hits"] + second["hits"]]
    assert seen == [f"number {number}" for number in reversed(range(25))]
    assert {hit["where"] for hit in first["hits"]} == {"answer"}
    assert alice.api.get("/api/search/?q=walrus&page=x").status_code == 400


def test_nobody_finds_what_is_somebody_elses(alice: Person, bob: Person, carol: Person) -> None:
    word = f"w{secrets.token_hex(6)}"
    had(alice, f"my {word}", title=f"{word} title")

    assert found(alice, word)["total"] == 1
    assert found(bob, word)["total"] == found(carol, word)["total"] == 0


def test_erased_conversations_leave_the_index(alice: Person) -> None:
    conversation = had(alice, "a lemur", "the lemur", title="lemurs")
    assert found(alice, "lemur")["total"] == 1

    conversation.delete()

    assert found(alice, "lemur")["total"] == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        '"',
        '""',
        '" "',
        '"unclosed phrase',
        "otter*",
        "^otter",
        "title: otter",
        "place : otter",
        "{title place} : otter",
        "otter AND",
        "NEAR(otter",
        "otter NOT",
        "-otter",
        "OR",
        "(otter",
        "otter')); DROP TABLE chat_message;--",
        "otter\\",
        "'otter' & !",
        "otter <-> :*",
        "%s %(x)s %",
        "a\x00b",
        "\ud83d",
        "🦦",
        "²³ Ⅳ ½",
        "\u0301\u0301",
        "word " * 2000,
        "x" * 10_000,
        '"' * 4_000,
    ],
    ids=lambda text: repr(text[:20]),
)
def test_no_text_breaks_the_search(alice: Person, text: str) -> None:
    had(alice, "An otter is near, place and title; not and or. 🦦", title="otter")

    quoted = text.encode("utf-8", "surrogatepass")
    response = alice.api.get("/api/search/", params={"q": quoted})

    assert response.status_code == 200, response.text
    assert response.json()["total"] <= 1
