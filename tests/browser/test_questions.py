"""A tool's server asks: the card, its form, the keyboard, a reload, another tab."""

import re
from collections.abc import Callable, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from chat.models import MCPServer
from tests.browser.conftest import NewContext
from tests.browser.steps import ask, ended, has_text, side, stop_button
from tests.people import Person
from tests.servers.asking_mcp_server import AskingMCPServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

BOOK = '[[call book {"day": "Friday"}]][[then]][[text Done.]]'
REFUSED = "status of 400"
RECORDED = """
window.told = [];
window.Notification = class extends Notification {
  constructor(title, options) { super(title, options); told.push(options.body); }
};"""
LOOKED = """(isHidden) => {
  Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture(scope="module")
def asking() -> Iterator[AskingMCPServer]:
    with AskingMCPServer() as running:
        yield running


@pytest.fixture
def asking_row(
    alice: Person, add_server: Callable[..., MCPServer], asking: AskingMCPServer
) -> MCPServer:
    return add_server(alice, asking.url, slug="asking")


@pytest_asyncio.fixture(loop_scope="session")
async def page(new_context: NewContext, asking_row: MCPServer) -> Page:
    """Alice's page, with a server that asks."""
    viewport = {"width": 1280, "height": 800}
    context = await new_context(viewport=viewport, may_complain_of=REFUSED)
    opened = await context.new_page()
    await opened.goto("/")
    return opened


async def test_the_tab_tells_those_who_are_elsewhere(
    new_context: NewContext, whole_browser: Browser, asking_row: MCPServer
) -> None:
    context = await new_context(of=whole_browser)
    await context.add_init_script(RECORDED)
    page = await context.new_page()
    icon = page.locator("link[rel=icon]")
    await page.goto("/account/")
    switch = page.get_by_role("checkbox", name="Tell me when an answer ends")
    await switch.click()
    await expect(page.get_by_role("alert").filter(has_text="does not allow it")).to_be_visible()
    await expect(switch).not_to_be_checked()
    await context.grant_permissions(["notifications"])
    await switch.click()
    await page.reload()
    await expect(switch).to_be_checked()

    await page.goto("/")
    await ask(page, '[[call book {"day": "Friday"}]][[then]][[tokens 80 delay 10]]')
    await expect(page).to_have_title(re.compile(r"^◆ Waits for you · \[\[call"))
    await expect(icon).to_have_attribute("href", re.compile("icon-waiting"))
    card = page.locator('question-card[data-state="open"]')
    await look(page, is_hidden=True)
    await card.get_by_label("Your name").fill("Alice")
    await card.get_by_role("button", name="Send").click()
    await expect(page).to_have_title(re.compile("^● Answering · "))
    await expect(icon).to_have_attribute("href", re.compile("icon-answering"))
    await ended(page.locator("[data-run]"))
    await expect(page).to_have_title(re.compile("^✓ Done · "))
    await expect(icon).to_have_attribute("href", re.compile("icon-done"))
    # The question came while the page was before one's eyes.
    assert await page.evaluate("told") == ["The answer is complete."]

    await look(page, is_hidden=False)
    await expect(page).to_have_title(re.compile(r"^\[\[call.* · Ferryline$"))
    await expect(icon).to_have_attribute("href", re.compile(r"/icon\b[^-]*$"))
    run = await ask(page, "[[tokens 200 delay 10]]")
    await has_text(run, "t3")
    await look(page, is_hidden=True)
    await stop_button(page).click()
    await ended(run, "cancelled")
    assert await page.evaluate("told") == ["The answer is complete.", "Stopped."]


async def look(page: Page, *, is_hidden: bool) -> None:
    """Away to another tab, or back. A browser under test shows all of its tabs."""
    await page.evaluate(LOOKED, is_hidden)


async def test_a_form_is_filled_in_with_the_keyboard(page: Page) -> None:
    await ask(page, BOOK)
    card = page.locator('question-card[data-state="open"]')
    await expect(card).to_contain_text("Whom shall I book for Friday?")
    await expect(card.get_by_role("heading")).to_have_text("Asking asks you")
    # The list says so, too, wherever one is.
    mark = side(page).locator(".dot.waiting")
    await expect(mark).to_have_attribute("title", "Waits for your answer")
    # Nobody's focus is taken.
    await expect(card.locator(":focus")).to_have_count(0)

    await card.get_by_label("Your name").fill("Alice")
    await page.keyboard.press("Tab")
    await page.keyboard.type("4")
    await page.keyboard.press("Enter")

    await ended(page.locator("[data-run]"))
    await expect(mark).to_have_count(0)
    done = page.locator("question-card")
    await expect(done).to_have_attribute("data-state", "accept")
    await expect(done).to_contain_text("You answered.")
    result = page.locator("[data-tool-run] [data-result]")
    await expect(result).to_contain_text('"name":"Alice","seats":4,"meal":"soup"')


async def test_what_does_not_fit_is_told_beside_its_field(page: Page) -> None:
    await ask(page, BOOK)
    card = page.locator("question-card")
    await card.get_by_label("Your name").fill("A")
    await card.get_by_label("meal").select_option("fish")
    await card.get_by_role("button", name="Send").click()

    name = card.get_by_label("Your name")
    await expect(name).to_have_attribute("aria-invalid", "true")
    await expect(name).to_be_focused()
    await expect(name).to_have_value("A")
    await expect(card.get_by_label("meal")).to_have_value("fish")
    await name.fill("Alice")
    await card.get_by_role("button", name="Send").dblclick()

    await ended(page.locator("[data-run]"))
    await expect(card).to_have_attribute("data-state", "accept")


@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
async def test_numbers_and_moments_are_sent_as_they_were_proposed(
    new_context: NewContext, asking_row: MCPServer, locale: str
) -> None:
    page = await (await new_context(locale=locale)).new_page()
    await page.goto("/")
    box = page.locator("#ask")
    await box.fill("[[call meet {}]][[then]][[text Done.]]")
    await box.press("Enter")
    card = page.locator("question-card")

    await expect(card.get_by_label("Begins (UTC)")).to_have_value("2026-05-01T10:00:30")
    await card.get_by_label("Hours").press("Enter")

    sent = '{"hours":1.5,"begins":"2026-05-01T10:00:30+00:00"}'
    await expect(page.locator("[data-result]")).to_have_text(sent)


async def test_a_moment_is_sent_with_its_seconds_and_its_offset(page: Page) -> None:
    await ask(page, "[[call meet {}]][[then]][[text Done.]]")
    card = page.locator("question-card")

    await card.get_by_label("Begins").fill("2026-05-02T09:15")
    await card.get_by_role("button", name="Send").click()

    await expect(page.locator("[data-result]")).to_contain_text('"2026-05-02T09:15:00+00:00"')


async def test_a_question_survives_a_reload_and_may_be_declined(page: Page) -> None:
    await ask(page, BOOK)
    await expect(page.locator('question-card[data-state="open"]')).to_be_visible()
    await page.reload()
    card = page.locator("question-card")
    await expect(card).to_have_count(1)

    await card.get_by_role("button", name="Decline").click()

    await ended(page.locator("[data-run]"))
    await expect(card).to_contain_text("You declined.")
    await expect(page.locator("[data-result]")).to_contain_text("Not booked: decline")


async def test_two_tabs_show_one_question_and_its_answer(page: Page) -> None:
    await ask(page, BOOK)
    await expect(page.locator('question-card[data-state="open"]')).to_be_visible()
    other = await page.context.new_page()
    await other.goto(page.url)

    await other.locator("question-card").get_by_role("button", name="Cancel").click()

    for tab in (page, other):
        await ended(tab.locator("[data-run]"))
        await expect(tab.locator("question-card")).to_contain_text("Not answered.")
