"""Editing, regenerating, choosing versions and going on, by keyboard, narrow and wide."""

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import NewContext
from tests.browser.steps import ask, ask_to_the_end, ended, has_text, stop_button, write
from tests.people import Person

pytestmark = pytest.mark.asyncio(loop_scope="session")
PICTURES = os.environ.get("PICTURES", "")
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


async def press(button: Locator) -> None:
    """By keyboard, wherever it may be."""
    await button.focus()
    await button.press("Enter")


async def picture(page: Page, name: str) -> None:
    """For people to look at; only where PICTURES names a folder."""
    for scheme in ("light", "dark") if PICTURES else ():
        await page.emulate_media(color_scheme=scheme)
        await page.screenshot(path=Path(PICTURES) / f"{name}-{scheme}.png")


@pytest.mark.parametrize("width", [375, 1280])
async def test_nothing_is_lost(page: Page, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 800})
    await ask_to_the_end(page, "[[text One.]]")
    run = await ask_to_the_end(page, "[[text Two.]]")

    # A question that was just asked can be edited at once.
    await press(page.get_by_role("button", name="Edit").last)
    box = page.get_by_label("Your message, changed")
    await expect(box).to_be_focused()
    await box.fill("[[text Another two.]]")
    await picture(page, f"edit-{width}")
    await press(page.get_by_role("button", name="Ask again"))
    await has_text(page.locator("[data-run]").last, "Another two.")
    await ended(page.locator("[data-run]").last)
    await expect(page.get_by_text("2/2")).to_be_visible()
    await expect(page.locator("[data-run]")).to_have_count(2)

    await press(page.get_by_role("button", name="Regenerate").last)
    await expect(page.get_by_text("2/2")).to_have_count(2)
    await ended(page.locator("[data-run]").last)
    # They come with what is stored, a moment after the end.
    await expect(page.locator("details.about")).to_have_count(2)
    await press(page.get_by_text("Details").last)
    await expect(page.get_by_text("First token").last).to_be_visible()
    await picture(page, f"versions-{width}")

    # Back to the question as it was; one stays where one is.
    await press(page.get_by_role("button", name="Previous version").first)
    await has_text(page.locator("[data-run]").last, "Two.")
    await expect(page.get_by_text("1/2")).to_be_visible()
    await expect(page.locator('[data-role="user"]').nth(1)).to_be_focused()
    await expect(page.get_by_role("button", name="Previous version")).to_be_disabled()
    await page.goto("/")
    await page.go_back()
    await has_text(page.locator("[data-run]").last, "Two.")
    await press(page.get_by_role("button", name="Next version"))
    await has_text(page.locator("[data-run]").last, "Another two.")

    # Stopped, and gone on with.
    run = await ask(page, "[[text So far]][[tokens 2000 delay 10]]")
    await has_text(run, "t3")
    await press(stop_button(page))
    await ended(run, "cancelled")
    await press(run.get_by_role("button", name="Continue"))
    await expect(page.locator("[data-run]")).to_have_count(4)
    await expect(page.get_by_text("Continue where you stopped.", exact=True)).to_be_visible()
    await ended(page.locator("[data-run]").last)
    assert await page.evaluate(OVERFLOW) == 0
    await picture(page, f"continued-{width}")


async def test_an_edit_in_mid_answer_is_refused_and_other_tabs_follow(
    new_context: NewContext,
) -> None:
    context = await new_context(may_complain_of="409 (Conflict)")
    page = await context.new_page()
    await page.goto("/")
    await ask_to_the_end(page, "[[text One.]]")
    other = await page.context.new_page()
    await other.goto(page.url)
    draft = other.locator("textarea#ask")
    await draft.fill("a draft")
    await press(other.get_by_role("button", name="Edit"))
    changed = other.get_by_label("Your message, changed")
    await changed.fill("[[text Other.]]")
    run = await ask(page, "[[tokens 2000 delay 10]]")
    await has_text(run, "t3")

    await press(other.get_by_role("button", name="Ask again"))
    await expect(other.get_by_role("alert").filter(has_text="still in progress")).to_be_visible()
    await expect(changed).to_have_value("[[text Other.]]")
    await draft.press("!")
    await expect(draft).to_have_value("a draft!")
    await press(stop_button(page))
    await ended(run, "cancelled")

    # What branches off in one tab is what the other one shows.
    await press(page.get_by_role("button", name="Regenerate").first)
    await expect(other.get_by_text("2/2")).to_be_visible()
    await expect(other.locator("[data-run]")).to_have_count(1)


async def test_a_changed_question_is_kept_until_it_is_asked(
    new_context: NewContext, alice: Person
) -> None:
    page = await (await new_context(may_complain_of="status of 401")).new_page()
    await page.goto("/")
    await ask_to_the_end(page, "[[text One.]]")
    url, edit = page.url, page.get_by_role("button", name="Edit")
    changed = page.get_by_label("Your message, changed")

    # Over a reload, and the sign-in.
    await press(edit)
    await changed.fill("[[text Do not lose me]]")
    await page.reload()
    await expect(changed).to_have_value("[[text Do not lose me]]")
    await page.context.clear_cookies(name="sessionid")
    await press(page.get_by_role("button", name="Ask again"))
    await page.wait_for_url("**/accounts/login/**")
    await page.fill("[name=username]", alice.username)
    await page.fill("[name=password]", alice.password)
    await page.keyboard.press("Enter")
    await page.wait_for_url(url)
    await press(edit)
    await expect(changed).to_have_value("[[text Do not lose me]]")
    await press(page.get_by_role("button", name="Ask again"))
    await has_text(page.locator("[data-run]"), "Do not lose me")
    await ended(page.locator("[data-run]"))

    # Then, and where one cancels, the question is again what it was.
    await press(page.get_by_role("button", name="Previous version"))
    await press(edit)
    await expect(changed).to_have_value("[[text One.]]")
    await changed.fill("[[text Never mind.]]")
    await press(page.get_by_role("link", name="Cancel"))
    await press(edit)
    await expect(changed).to_have_value("[[text One.]]")


async def test_without_scripts_it_is_the_same(
    new_context: NewContext, alices_session: dict[str, Any]
) -> None:
    context = await new_context(java_script_enabled=False)
    await context.add_cookies([alices_session])
    page = await context.new_page()
    await page.goto("/")
    await write(page, "[[text One.]]")
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_role("button", name="Regenerate")).to_be_visible(timeout=20_000)

    await page.get_by_role("button", name="Edit").click()
    await page.get_by_label("Your message, changed").fill("[[text Two.]]")
    await page.get_by_role("button", name="Ask again").click()
    await expect(page.get_by_role("button", name="Regenerate")).to_be_visible(timeout=20_000)
    await page.get_by_role("button", name="Previous version").click()

    await expect(page.locator("[data-content]").last).to_have_text("One.")
