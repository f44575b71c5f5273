"""Keeping conversations in order: renamed, pinned, archived, deleted."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import NewContext
from tests.browser.steps import ask, ask_to_the_end, choose, has_text, side, titles, write

pytestmark = pytest.mark.asyncio(loop_scope="session")


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


async def test_a_draft_survives_what_happens_to_other_chats(three: list[str], page: Page) -> None:
    await page.goto(three[0])
    await write(page, "half a thought")

    await choose(page, "Herons", "Delete")

    await expect(titles(page)).to_have_text(["Beavers", "Otters"])
    await expect(page.locator("textarea[name=message]")).to_have_value("half a thought")
