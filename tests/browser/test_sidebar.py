"""The list of conversations: it grows, it is a drawer on a phone, and it tells the news."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Page, WebSocketRoute, expect

from tests.browser.conftest import Have, NewContext
from tests.browser.steps import choose, ended, side, titles
from tests.people import Person

pytestmark = pytest.mark.asyncio(loop_scope="session")


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


async def test_the_drawer_opens_and_closes_on_a_phone(new_context: NewContext) -> None:
    page = await (await new_context(viewport={"width": 375, "height": 812})).new_page()
    await page.goto("/")
    nav = page.get_by_role("navigation", name="Conversations")
    await expect(nav).to_be_hidden()

    await page.get_by_role("button", name="Open the list of conversations").click()
    await expect(nav.get_by_role("link", name="New chat")).to_be_visible()
    await page.keyboard.press("Escape")

    await expect(nav).to_be_hidden()


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


async def test_what_began_before_the_page_could_hear_of_it_is_seen(
    three: list[str], api: httpx.AsyncClient, page: Page
) -> None:
    may_open = asyncio.Event()

    async def open_later(socket: WebSocketRoute) -> None:
        await may_open.wait()
        socket.connect_to_server()

    await page.route_web_socket("**/ws/", open_later)
    await page.goto("/")
    await expect(titles(page)).to_have_text(["Herons", "Beavers", "Otters"])
    asked = await begin(api, "/api/conversations/")

    may_open.set()

    await expect(side(page).get_by_role("link", name="Afar")).to_be_visible()
    await api.post(f"/api/runs/{asked['run_id']}/cancellations/")


async def test_a_row_stays_under_the_pointer_where_nothing_moved(
    three: list[str], page: Page
) -> None:
    await page.goto("/")
    row = await titles(page).first.element_handle()

    # That one is asked for again says that the answer before was put in its place.
    for _ in range(2):
        async with page.expect_response("**/sidebar/*"):
            await page.evaluate("document.dispatchEvent(new Event('conversations-stale'))")

    assert await row.evaluate("(row) => row.isConnected")


async def begin(api: httpx.AsyncClient, url: str) -> dict[str, str]:
    """An answer that goes on until it is stopped."""
    response = await api.post(url, json={"message": "Afar [[tokens 3000 delay 10]]"})
    return dict(response.json())


@pytest_asyncio.fixture(loop_scope="session")
async def api(alice: Person) -> AsyncIterator[httpx.AsyncClient]:
    """A program of Alice."""
    async with httpx.AsyncClient(base_url=alice.site.url, headers=alice.headers) as client:
        yield client
