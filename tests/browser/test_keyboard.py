"""A whole story without a mouse."""

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import NewContext
from tests.browser.steps import TOKENS, ask, ask_to_the_end, ended, has_text
from tests.people import Person

pytestmark = pytest.mark.asyncio(loop_scope="session")

MOST_STEPS = 80
STORY = '[[call echo {"text": "grey seals"}]][[then]][[text They *swim*.]]'


async def tab_to(page: Page, wanted: Locator, *, back: bool = False) -> None:
    """With the Tab key alone; it has to be there, and its focus has to be seen."""
    for _ in range(MOST_STEPS):
        await page.keyboard.press("Shift+Tab" if back else "Tab")
        if await wanted.evaluate("(one) => one === document.activeElement"):
            assert await wanted.evaluate("(one) => getComputedStyle(one).outlineStyle") != "none"
            return
    raise AssertionError(f"not reached: {wanted}")


async def test_the_keyboard_is_enough_for_a_whole_story(
    new_context: NewContext, alice: Person
) -> None:
    context = await new_context(session=None, permissions=["clipboard-read", "clipboard-write"])
    page = await context.new_page()
    await page.goto("/")
    keyboard = page.keyboard
    await expect(page.get_by_role("textbox", name="Username")).to_be_focused()

    await keyboard.type(alice.username)
    await keyboard.press("Tab")
    await keyboard.type(alice.password)
    await keyboard.press("Enter")
    box = page.get_by_role("textbox", name="Message")
    await expect(box).to_be_focused()

    await keyboard.type(TOKENS)
    await keyboard.press("Enter")
    first = page.locator("[data-run]").first
    await has_text(first, "t9")
    await keyboard.press("Escape")
    await ended(first, "cancelled")
    await expect(box).to_be_focused()

    await keyboard.type(STORY)
    await keyboard.press("Enter")
    run = page.locator("[data-run]").nth(1)
    await ended(run)
    await expect(box).to_be_focused()
    await tab_to(page, run.get_by_role("button", name="Copy", exact=True), back=True)
    await keyboard.press("Enter")
    await expect(run.locator(".copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == "They *swim*."
    card = run.locator("details.tool")
    await tab_to(page, card.locator("summary"), back=True)
    await keyboard.press("Enter")
    await expect(card.locator("[data-result]")).to_be_visible()

    await tab_to(page, run.get_by_role("button", name="Regenerate"))
    await keyboard.press("Enter")
    await expect(page.get_by_text("2/2")).to_be_visible()
    await ended(page.locator("[data-run]").nth(1))

    more = page.get_by_role("banner").get_by_role("button", name="More", exact=True)
    await tab_to(page, more, back=True)
    await keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Rename", exact=True)).to_be_focused()
    await keyboard.press("Enter")
    await keyboard.type("Of seals")
    await keyboard.press("Enter")
    await expect(page).to_have_title("Of seals · Ferryline")
    await expect(more).to_be_focused()


async def test_the_short_way_leads_to_the_box_in_mid_answer(page: Page) -> None:
    await ask_to_the_end(page, "[[text Well.]]")
    run = await ask(page, "[[tokens 150 delay 10]]")
    await has_text(run, "t5")
    loads: list[Page] = []
    page.on("domcontentloaded", lambda loaded: loads.append(loaded))

    await page.locator("a.skip").focus()
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("textbox", name="Message")).to_be_focused()
    await ended(run)
    await page.go_back()
    await expect(run).to_be_visible()
    assert loads == []


async def test_a_field_that_the_browser_fills_in_is_no_shortcut(page: Page) -> None:
    search = page.get_by_role("searchbox", name="Search chats")

    # Such events have no key. What they make a script throw fails the test.
    await search.evaluate("(it) => it.dispatchEvent(new Event('keydown', { bubbles: true }))")

    await search.press("Control+k")
    await expect(page.get_by_role("textbox", name="Message")).to_be_focused()
