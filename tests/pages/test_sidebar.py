"""The list of conversations, the search and the forms around them, as without scripts."""

import re
from datetime import timedelta

import httpx
import pytest
from django.utils import timezone

from chat.models import Conversation
from tests.people import Person
from tests.sse import begin, read


@pytest.fixture
def browser(alice: Person) -> httpx.Client:
    """Alice's session, with the CSRF token that her first page brings."""
    alice.http.get("/")
    alice.http.headers["X-CSRFToken"] = alice.http.cookies["csrftoken"]
    return alice.http


def have(person: Person, *titles: str, **values: object) -> list[Conversation]:
    """The last one moved last."""
    now = timezone.now()
    return Conversation.objects.bulk_create(
        Conversation(
            owner=person.user,
            title=title,
            **{"updated_at": now + timedelta(milliseconds=number), **values},
        )
        for number, title in enumerate(titles)
    )


def listed(page: str) -> list[str]:
    """Headings and titles in the order of the sidebar."""
    found = re.findall(r"<h2>([^<]+)</h2>|<bdi>([^<]+)</bdi>", page.partition('class="person"')[0])
    return [heading or f"- {title}" for heading, title in found]


def test_pinned_ones_stand_above_the_days(alice: Person) -> None:
    have(alice, "old pin", updated_at=timezone.now() - timedelta(days=90), pinned_at=timezone.now())
    have(alice, "older", updated_at=timezone.now() - timedelta(days=30))
    have(alice, "one", "two")
    have(alice, "away", archived_at=timezone.now())
    have(alice, "gone", deleted_at=timezone.now())

    assert listed(alice.http.get("/").text) == [
        *("Pinned", "- old pin", "Today", "- two", "- one", "Older", "- older")
    ]


def test_the_list_grows_by_a_link(alice: Person) -> None:
    have(alice, *(f"chat {number}" for number in range(120)))

    first = alice.http.get("/").text
    assert listed(first)[-1] == "- chat 70"
    link = re.search(r'<a class="more-chats" href="\?shown=(\d+)"', first)
    assert link
    assert link[1] == "100"
    whole = alice.http.get("/?shown=150").text
    assert listed(whole)[-1] == "- chat 0"
    assert "more-chats" not in whole
    for nonsense in ("x", "-1", "0", "9" * 40, "²"):
        assert len(listed(alice.http.get("/", params={"shown": nonsense}).text)) == 51


def test_an_answer_is_news_until_its_page_was_opened(alice: Person, bob: Person) -> None:
    started = begin(alice.api, "[[text While you were away.]]")
    read(alice.api, started["run_id"])
    url = f"/c/{started['conversation_id']}/"

    assert "data-news" in alice.http.get("/").text
    assert bob.http.get(url).status_code == 404
    # Programs read without having read it to anybody.
    alice.api.get(f"/api/conversations/{started['conversation_id']}/")
    assert "data-news" in alice.http.get("/sidebar/").text

    assert "data-news" not in alice.http.get(url).text
    assert "data-news" not in alice.http.get("/").text


def test_the_page_of_choices_does_them_all(browser: httpx.Client, alice: Person) -> None:
    (conversation,) = have(alice, "before")
    url = f"/c/{conversation.pk}/"
    page = browser.get(f"{url}options/").text
    assert f'action="{url}changes/"' in page

    response = browser.post(f"{url}changes/", data={"title": " after <b> "})
    assert (response.status_code, response.headers["Location"]) == (303, url)
    assert "after &lt;b&gt;" in browser.get(url).text
    browser.post(f"{url}changes/", data={"is_pinned": "1"})
    assert listed(browser.get("/").text)[0] == "Pinned"
    browser.post(f"{url}changes/", data={"is_pinned": "0", "is_archived": "1"})
    assert listed(browser.get("/").text) == []
    assert "after &lt;b&gt;" in browser.get("/archive/").text

    conversation.refresh_from_db()
    assert (conversation.title, conversation.title_source) == ("after <b>", "person")


def test_a_title_that_is_none_is_refused_with_what_was_written(
    browser: httpx.Client, alice: Person
) -> None:
    (conversation,) = have(alice, "before")

    response = browser.post(f"/c/{conversation.pk}/changes/", data={"title": "x" * 201})

    assert response.status_code == 400
    assert "200 characters at most" in response.text
    assert "x" * 201 in response.text
    conversation.refresh_from_db()
    assert conversation.title == "before"


def test_a_deletion_offers_its_undo(browser: httpx.Client, alice: Person, bob: Person) -> None:
    (conversation,) = have(alice, "a mistake")

    response = browser.post(f"/c/{conversation.pk}/deletions/")
    assert (response.status_code, response.headers["Location"]) == (
        *(303, f"/?deleted={conversation.pk}"),
    )
    page = browser.get(response.headers["Location"]).text
    assert "a mistake" not in page
    undo = re.search(r'data-toast>.*?action="([^"]+)"', page)
    assert undo
    assert "data-toast hidden" in bob.http.get(response.headers["Location"]).text

    assert browser.post(undo[1]).headers["Location"] == f"/c/{conversation.pk}/"
    assert "a mistake" in browser.get("/").text
    # What is there needs no undo, and what is nonsense has none.
    for deleted in (str(conversation.pk), "x", "0" * 33):
        assert "data-toast hidden" in browser.get(f"/?deleted={deleted}").text


def test_a_search_has_a_page_with_marks(alice: Person) -> None:
    (conversation,) = have(alice, "About <otters>")
    conversation.messages.create(role="user", content="Do <b>otters</b> hold hands & dream?")
    have(alice, "Other things")

    page = alice.http.get("/search/?q=otters").text

    found = page.partition('<p class="count">')[2]
    assert "About &lt;<mark>otters</mark>&gt;" in found
    assert "&lt;b&gt;<mark>otters</mark>&lt;/b&gt; hold hands &amp; dream?" in found
    assert f'<a href="/c/{conversation.pk}/?message=' in found
    assert "Other things" not in found
    assert "Nothing found." in alice.http.get("/search/?q=zebra").text
    assert alice.http.get("/search/?q=otters&page=x").status_code == 404
    assert alice.http.get("/archive/?page=x").status_code == 404


def test_the_hits_of_a_long_search_come_in_pages(alice: Person) -> None:
    have(alice, *(f"heron {number}" for number in range(25)))

    first = alice.http.get("/search/hits/?q=heron").text

    assert first.count("<li>") == 20
    more = re.search(r'<a class="more-chats" href="([^"]+)"', first)
    assert more
    second = alice.http.get(more[1].replace("&amp;", "&")).text
    hits = second.partition('<p class="count">')[2].partition("</main>")[0]
    assert hits.count("<li>") == 5
