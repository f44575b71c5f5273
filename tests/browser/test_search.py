"""Finding a conversation again, in the sidebar."""

import pytest
from playwright.async_api import Page, expect

from chat.models import Conversation
from tests.browser.conftest import Have
from tests.browser.steps import side, titles

pytestmark = pytest.mark.asyncio(loop_scope="session")


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
