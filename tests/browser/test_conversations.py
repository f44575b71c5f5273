"""Keeping conversations in order: renamed, pinned, archived, deleted, found."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from django.utils import timezone
from playwright.async_api import Locator, Page, expect

from chat.models import Conversation
from tests.browser.conftest import NewContext
from tests.browser.steps import ask, ask_to_the_end, ended, has_text, write
from tests.people import Person

pytestmark = pytest.mark.asyncio(loop_scope="session")

Have = Callable[..., list[str]]


@pytest.fixture
def have(alice: Person) -> Have:
    """Conversations of Alice; the last one moved last. Asks the database: not for coroutines."""

    def make(*titles: str, **values: object) -> list[str]:
        now = timezone.now()
        rows = [
            Conversation(
                owner=alice.user,
                title=title,
                **{"updated_at": now + timedelta(milliseconds=number), **values},
            )
            for number, title in enumerate(titles)
        ]
        return [f"/c/{row.pk}/" for row in Conversation.objects.bulk_create(rows)]

    return make


@pytest.fixture
def three(have: Have) -> list[str]:
    return have("Otters", "Beavers", "Herons")


def side(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Conversations")


def titles(page: Page) -> Locator:
    return side(page).locator("li bdi:visible")


async def choose(page: Page, title: str, what: str) -> None:
    """From the menu of a row; "" is the menu at the top."""
    if title:
        row = side(page).get_by_role("listitem").filter(has_text=title)
        await row.hover()
        await row.get_by_role("button", name=f"More about {title}").click()
    else:
        await page.get_by_role("banner").get_by_role("button", name="More", exact=True).click()
    menu = page.get_by_role("group", name="What to do with this chat")
    await menu.get_by_text(what, exact=True).click()


async def test_a_row_is_renamed_where_it_stands(three: list[str], page: Page) -> None:
    await page.goto(three[0])
    await choose(page, "Otters", "Rename")
    title = side(page).get_by_role("textbox", name="Title")
    await expect(title).to_be_focused()

    await title.fill("Sea otters")
    await title.press("Enter")

    await expect(titles(page)).to_have_text(["Herons", "Beavers", "Sea otters"])
    await expect(page.get_by_role("heading", name="Sea otters")).to_be_visible()
    await expect(page).to_have_title("Sea otters · Ferryline")
    await page.reload()
    await expect(page.get_by_role("heading", name="Sea otters")).to_be_visible()


async def test_escape_leaves_the_title_and_stops_no_answer(page: Page) -> None:
    run = await ask(page, "[[tokens 500 delay 20]]")
    await has_text(run, "t3")
    await choose(page, "", "Rename")
    title = page.get_by_role("banner").get_by_role("textbox", name="Title")
    await title.fill("Nothing of this")

    await title.press("Escape")

    await expect(page.get_by_role("heading", name="[[tokens 500 delay 20]]")).to_be_visible()
    await has_text(run, "t9")
    await expect(run).to_have_attribute("data-state", "running")
    more = page.get_by_role("banner").get_by_role("button", name="More", exact=True)
    await expect(more).to_be_focused()
    await page.get_by_role("button", name="Stop", exact=True).click()


async def test_a_pinned_one_goes_to_the_top_and_back_in_all_tabs(
    three: list[str], page: Page
) -> None:
    other = await page.context.new_page()
    await other.goto("/")
    await page.goto("/")
    await expect(titles(other)).to_have_text(["Herons", "Beavers", "Otters"])

    await choose(page, "Otters", "Pin")

    for tab in (page, other):
        await expect(titles(tab)).to_have_text(["Otters", "Herons", "Beavers"])
        await expect(side(tab).get_by_role("heading", name="Pinned")).to_be_visible()
    await choose(other, "Otters", "Unpin")
    for tab in (page, other):
        await expect(titles(tab)).to_have_text(["Herons", "Beavers", "Otters"])


async def test_an_archived_one_is_out_of_the_way_and_comes_back(
    three: list[str], page: Page
) -> None:
    await page.goto("/")
    await choose(page, "Beavers", "Archive")
    await expect(titles(page)).to_have_text(["Herons", "Otters"])

    await side(page).get_by_role("link", name="Archived").click()
    await page.get_by_role("button", name="Unarchive Beavers").click()

    await page.wait_for_url(f"**{three[1]}")
    await expect(titles(page)).to_have_text(["Herons", "Beavers", "Otters"])


async def test_a_deleted_one_goes_at_once_and_is_brought_back_by_keyboard(
    three: list[str], page: Page
) -> None:
    other = await page.context.new_page()
    await other.goto("/")
    await page.goto("/")
    row = side(page).get_by_role("button", name="More about Beavers")
    await row.focus()
    await row.press("Enter")
    for _ in range(6):
        await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")

    for tab in (page, other):
        await expect(titles(tab)).to_have_text(["Herons", "Otters"])
    await expect(page.get_by_role("status")).to_contain_text("Deleted.")
    await expect(side(page).get_by_role("link", name="Otters")).to_be_focused()
    undo = page.get_by_role("button", name="Undo")
    await undo.press("Enter")

    for tab in (page, other):
        await expect(titles(tab)).to_have_text(["Herons", "Beavers", "Otters"])
    await expect(undo).to_be_hidden()


async def test_the_open_one_leads_to_a_new_chat_when_it_is_deleted(
    three: list[str], page: Page
) -> None:
    other = await page.context.new_page()
    await other.goto(three[0])
    await page.goto(three[0])

    await choose(page, "", "Delete")

    for tab in (page, other):
        await expect(tab.get_by_role("heading", name="New chat")).to_be_visible()
        await expect(tab).to_have_url(re.compile(r"/$"))
    await page.get_by_role("button", name="Undo").click()
    await page.wait_for_url(f"**{three[0]}")
    await expect(titles(page)).to_have_text(["Herons", "Beavers", "Otters"])


async def test_the_offer_to_undo_stays_as_long_as_somebody_is_at_it(
    three: list[str], page: Page
) -> None:
    await page.clock.install()
    await page.goto("/")
    await choose(page, "Otters", "Delete")
    undo = page.get_by_role("button", name="Undo")
    await undo.focus()

    await page.clock.run_for(60_000)
    await expect(undo).to_be_visible()

    await undo.blur()
    await page.clock.run_for(9_000)
    await expect(undo).to_be_visible()
    await page.clock.run_for(2_000)
    await expect(undo).to_be_hidden()


async def test_a_new_chat_has_its_menu_from_the_first_question_on(page: Page) -> None:
    more = page.get_by_role("banner").get_by_role("button", name="More", exact=True)
    await expect(more).to_be_hidden()
    await ask_to_the_end(page, "[[text Hello.]]")

    await more.click()
    menu = page.get_by_role("group", name="What to do with this chat")
    async with page.expect_download() as waiting:
        await menu.get_by_role("link", name="Export as JSON").click()

    path = await (await waiting.value).path()
    document = json.loads(await asyncio.to_thread(Path(path).read_text))
    assert document["messages"][1]["content"] == "Hello."


async def test_the_search_is_used_by_keyboard_alone(have_said: list[str], page: Page) -> None:
    await page.goto("/")
    search = page.get_by_role("searchbox", name="Search chats")
    hits = side(page).locator(".hits li a")

    await search.fill("slide")
    await expect(hits).to_have_count(2)
    await expect(side(page).locator("mark")).to_have_text(["slide", "Slides", "slides"])
    await expect(page.get_by_role("status")).to_have_text("2 chats")
    await search.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await expect(hits.nth(1)).to_be_focused()
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("ArrowUp")
    await expect(search).to_be_focused()
    await search.press("Escape")
    await expect(hits).to_have_count(2)
    await expect(hits.first).to_be_hidden()
    await expect(titles(page)).to_have_count(3)

    await search.fill("otters sli")
    await expect(hits).to_have_count(1)
    await search.press("Enter")
    await page.wait_for_url(f"**{have_said[0]}?message=*")


@pytest.fixture
def have_said(have: Have) -> list[str]:
    """Two that are found under "slide", one that is not."""
    urls = have("Play", "Herons", "To slide")
    for url, text in zip(urls, ("All otters have slides.", "Nothing.", "Slides!"), strict=True):
        conversation = Conversation.objects.get(pk=url.split("/")[2])
        conversation.messages.create(role="user", content=text)
    return urls


async def test_the_list_grows_while_one_scrolls(have: Have, many: None, page: Page) -> None:
    await page.goto("/")
    await expect(titles(page)).to_have_count(50)

    await side(page).get_by_role("link", name="More chats").scroll_into_view_if_needed()
    await expect(titles(page)).to_have_count(100)
    await side(page).get_by_text("chat 20", exact=True).scroll_into_view_if_needed()
    await side(page).get_by_role("link", name="More chats").scroll_into_view_if_needed()

    await expect(titles(page)).to_have_count(120)
    # What is renamed then does not make it shrink.
    await choose(page, "chat 119", "Pin")
    await expect(side(page).get_by_role("heading", name="Pinned")).to_be_attached()
    await expect(titles(page)).to_have_count(120)


@pytest.fixture
def many(have: Have) -> None:
    have(*(f"chat {number}" for number in range(120)))


async def test_all_of_it_works_without_scripts(three: list[str], new_context: NewContext) -> None:
    page = await (await new_context(java_script_enabled=False)).new_page()
    await page.goto("/")
    await side(page).get_by_role("listitem").filter(has_text="Otters").hover()
    await side(page).get_by_role("button", name="More about Otters").click()

    await page.get_by_role("textbox", name="Title").fill("Sea otters")
    await page.get_by_role("button", name="Rename").click()
    await page.wait_for_url(f"**{three[0]}")
    await expect(page.get_by_role("heading", name="Sea otters")).to_be_visible()
    search = page.get_by_role("searchbox", name="Search chats")
    await search.fill("sea")
    await search.press("Enter")
    await page.get_by_role("main").get_by_role("link", name="Sea otters").click()
    await page.get_by_role("banner").get_by_role("button", name="More", exact=True).click()
    await page.get_by_role("button", name="Delete").click()
    await expect(titles(page)).to_have_text(["Herons", "Beavers"])
    await page.get_by_role("button", name="Undo").click()
    await page.wait_for_url(f"**{three[0]}")


async def test_nothing_sticks_out_of_the_new_pages(three: list[str], page: Page) -> None:
    widths = (320, 375, 1280)
    long = "x" * 200
    for url in ("/archive/", "/search/?q=otters", f"/search/?q={long}", f"{three[0]}options/"):
        await page.goto(url)
        for width in widths:
            await page.set_viewport_size({"width": width, "height": 700})
            assert await sideways(page) == 0, (url, width)

    await page.goto(three[0])
    for width in widths:
        await page.set_viewport_size({"width": width, "height": 700})
        await page.get_by_role("banner").get_by_role("button", name="More", exact=True).click()
        box = await page.get_by_role("group", name="What to do with this chat").bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert await sideways(page) == 0
        await page.keyboard.press("Escape")


async def test_on_a_phone_the_drawer_stays_while_a_row_is_renamed(
    three: list[str], new_context: NewContext
) -> None:
    context = await new_context(viewport={"width": 375, "height": 812}, has_touch=True)
    page = await context.new_page()
    await page.goto("/")
    await page.get_by_role("button", name="Open the list of conversations").click()

    await choose(page, "Otters", "Rename")
    title = side(page).get_by_role("textbox", name="Title")
    await title.fill("Sea otters")
    await title.press("Enter")

    await expect(titles(page)).to_have_text(["Herons", "Beavers", "Sea otters"])


async def test_what_others_start_is_seen_live_and_is_news_until_it_was_read(
    api: httpx.AsyncClient, page: Page
) -> None:
    other = await page.context.new_page()
    await other.goto("/")
    await page.goto("/")

    asked = await begin(api, "/api/conversations/")

    for tab in (page, other):
        await expect(side(tab).get_by_role("link", name="Afar")).to_be_visible()
    await expect(side(page).get_by_title("Answering")).to_be_visible()
    await api.post(f"/api/runs/{asked['run_id']}/cancellations/")
    for tab in (page, other):
        await expect(side(tab).get_by_title("New answer")).to_be_visible()
        await expect(side(tab).get_by_role("link", name=", new answer")).to_be_visible()
    await side(page).get_by_role("link", name="Afar").click()
    for tab in (page, other):
        await expect(side(tab).get_by_title("New answer")).to_have_count(0)

    # What ends before one's eyes is no news anywhere.
    again = await begin(api, f"/api/conversations/{asked['conversation_id']}/messages/")
    await expect(side(other).get_by_title("Answering")).to_be_visible()
    await api.post(f"/api/runs/{again['run_id']}/cancellations/")
    await ended(page.locator("[data-run]").nth(1), "cancelled")
    await expect(side(other).get_by_title("Answering")).to_have_count(0)
    await expect(side(other).get_by_title("New answer")).to_have_count(0)
    await expect(side(page).get_by_title("New answer")).to_have_count(0)


async def begin(api: httpx.AsyncClient, url: str) -> dict[str, str]:
    """An answer that goes on until it is stopped."""
    response = await api.post(url, json={"message": "Afar [[tokens 3000 delay 10]]"})
    return dict(response.json())


@pytest_asyncio.fixture(loop_scope="session")
async def api(alice: Person) -> AsyncIterator[httpx.AsyncClient]:
    """A program of Alice."""
    async with httpx.AsyncClient(base_url=alice.site.url, headers=alice.headers) as client:
        yield client


async def test_a_draft_survives_what_happens_to_other_chats(three: list[str], page: Page) -> None:
    await page.goto(three[0])
    await write(page, "half a thought")

    await choose(page, "Herons", "Delete")

    await expect(titles(page)).to_have_text(["Beavers", "Otters"])
    await expect(page.locator("textarea[name=message]")).to_have_value("half a thought")


async def sideways(page: Page) -> int:
    return int(await page.evaluate("document.scrollingElement.scrollWidth - innerWidth"))
