"""Asking, seeing the tools at work, stopping, coming back."""

import json
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import NewContext
from tests.browser.steps import (
    TOKENS,
    ask,
    ask_to_the_end,
    ended,
    has_text,
    latest_button,
    stop_button,
    text_of,
)
from tests.people import Person

pytestmark = pytest.mark.asyncio(loop_scope="session")

THREE = "".join(f'[[call echo {{"text": "{n}"}}]]' for n in range(3)) + "[[then]]"
ECHO = '[[text Let me see.]][[call echo {"text": "grey seals"}]][[then]][[text They *swim*.]]'


async def test_somebody_signs_in_and_asks(new_context: NewContext, alice: Person) -> None:
    page = await (await new_context(session=None)).new_page()
    await page.goto("/")

    await page.fill("[name=username]", alice.username)
    await page.fill("[name=password]", alice.password)
    await page.keyboard.press("Enter")
    run = await ask_to_the_end(page, "[[text Welcome.]]")

    await has_text(run, "Welcome.")
    assert "/c/" in page.url
    assert await page.title() == "[[text Welcome.]] · Ferryline"


async def test_a_tool_card_shows_arguments_result_and_time(page: Page) -> None:
    run = await ask_to_the_end(page, ECHO)
    card = run.locator("details[data-tool-run]")

    await expect(card).to_have_attribute("data-state", "ok")
    await expect(card).not_to_have_attribute("open", "")
    await card.locator("summary").click()

    await expect(card.locator("[data-arguments]")).to_have_text("textgrey seals")
    await expect(card.locator("[data-result]")).to_have_text("grey seals")
    await expect(card.locator("summary .took")).to_contain_text(" ms")
    assert await run.locator("[data-content] em").inner_text() == "swim"


async def test_a_reload_shows_what_was_streamed(page: Page) -> None:
    run = await ask_to_the_end(page, f"[[reason Hm.]]{ECHO}\n```python\nx = 1\n```")
    streamed = await run.locator(".rail").inner_text()
    html = await run.locator("[data-content]").last.inner_html()

    await page.reload()

    stored = page.locator("[data-run]")
    assert await stored.locator(".rail").inner_text() == streamed
    assert await stored.locator("[data-content]").last.inner_html() == html


async def test_a_failed_tool_says_so_on_its_card(page: Page) -> None:
    run = await ask_to_the_end(
        page, '[[call fail {"text": "no such port"}]][[then]][[text Sorry.]]'
    )
    card = run.locator("[data-tool-run]")

    await expect(card).to_have_attribute("data-state", "tool_error")
    await expect(card.locator("summary")).to_contain_text("Failed")
    await expect(card.locator("[data-result]")).to_contain_text("no such port")


async def test_three_successes_fold_once_the_answer_is_finished(page: Page) -> None:
    calls = "".join(f'[[call echo {{"text": "{n}"}}]]' for n in range(3))

    run = await ask_to_the_end(page, f"{calls}[[then]][[text Done.]]")

    await expect(run.locator(".group > summary")).to_contain_text("Used 3 tools")
    await expect(run.locator("[data-tool-run]")).to_have_count(3)


async def test_nothing_folds_under_somebody_who_reads_it(page: Page) -> None:
    run = await ask(page, f"{THREE}[[tokens 200 delay 10]]")
    await has_text(run, "t9")

    calls = (await shown(run))[:3]

    await run.locator("[data-tool-run] > summary").nth(1).click()
    await ended(run)

    assert await shown(run) == [*calls, "text"]
    opened = run.locator("[data-tool-run]").nth(1)
    await expect(opened).to_have_attribute("open", "")
    await expect(opened.locator("summary").first).to_be_focused()


async def test_nothing_folds_under_somebody_who_stops_it(page: Page) -> None:
    run = await ask(page, f"{THREE}{TOKENS}")
    await has_text(run, "t9")
    calls = (await shown(run))[:3]

    await stop_button(page).click()
    await ended(run, "cancelled")

    assert await shown(run) == [*calls, "text", "Stopped"]


async def test_stop_freezes_the_text_and_keeps_it(page: Page) -> None:
    run = await ask(page, TOKENS)
    await has_text(run, "t9")

    await stop_button(page).click()
    frozen = await text_of(run)
    await ended(run, "cancelled")

    assert await text_of(run) == frozen
    await expect(run).to_contain_text("Stopped")
    await expect(stop_button(page)).to_be_hidden()
    await expect(page.locator("textarea")).to_be_focused()
    await page.reload()
    assert (await text_of(page.locator("[data-run]"))).startswith(frozen)


async def test_escape_stops_a_running_tool(page: Page) -> None:
    run = await ask(page, '[[call slow {"seconds": 30, "steps": 300}]]')
    await expect(run.locator("[data-tool-run]")).to_have_attribute("data-state", "running")

    # What lies over the page is closed first.
    await page.get_by_role("button", name="tools", exact=False).click()
    await expect(page.get_by_role("group", name="Tools in this chat")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("group", name="Tools in this chat")).to_be_hidden()
    await expect(run).to_have_attribute("data-state", "running")
    await page.keyboard.press("Escape")

    await ended(run, "cancelled")
    await expect(page.locator("textarea#ask")).to_be_focused()
    await expect(run.locator("[data-tool-run]")).to_have_attribute("data-state", "cancelled")


async def test_a_running_tool_shows_its_progress(page: Page) -> None:
    run = await ask(page, '[[call slow {"seconds": 30, "steps": 300}]]')

    await expect(run.locator(".peek")).to_contain_text(" %")
    await expect(run.locator(".took")).to_contain_text(" s")
    await stop_button(page).click()
    await ended(run, "cancelled")


async def test_a_reload_in_mid_answer_goes_on_where_it_was(page: Page) -> None:
    run = await ask(page, f'[[text Before.]][[call echo {{"text": "a"}}]][[then]]{TOKENS}')
    await has_text(run, "t9")

    await page.reload()
    assert int(await page.locator("[data-run]").get_attribute("data-last-event-id") or 0) > 0
    again = page.locator("[data-run]")
    await ended(again)

    words = (await again.locator("[data-content]").last.inner_text()).split()
    assert words == [f"t{n}" for n in range(1, 401)]
    await expect(again.locator("[data-tool-run]")).to_have_count(1)


async def test_two_tabs_show_the_same(page: Page, new_context: NewContext) -> None:
    await ask_to_the_end(page, "[[text First.]]")
    other = await page.context.new_page()
    await other.goto(page.url)

    run = await ask(page, TOKENS)
    followed = other.locator("[data-run]").nth(1)
    await has_text(followed, "t9")
    await ended(run)
    await ended(followed)

    assert await text_of(followed) == await text_of(run)
    await expect(other.locator("[data-message]")).to_have_count(4)
    await expect(page.locator("[data-message]")).to_have_count(4)


async def test_a_failure_is_shown_with_what_arrived(page: Page) -> None:
    run = await ask(page, "[[text So far]][[error The model is out of breath]]")

    await expect(run).to_have_attribute("data-state", "failed")
    await has_text(run, "So far")
    await expect(run.get_by_role("group", name="Error")).to_contain_text("What arrived is kept")
    await run.get_by_role("button", name="Try again").click()
    await expect(page.get_by_text("2/2")).to_be_visible()
    await expect(page.locator("[data-run]")).to_have_attribute("data-state", "failed")


async def test_scrolling_up_lets_go_and_latest_comes_back(page: Page) -> None:
    run = await ask(page, "[[tokens 3000 delay 2]]")
    await has_text(run, "t900")
    await expect(latest_button(page)).to_be_hidden()

    await page.mouse.move(700, 300)
    await page.mouse.wheel(0, -300)
    await expect(latest_button(page)).to_be_visible()
    # Smooth scrolling ends where it ends; from there on nothing moves.
    await page.wait_for_function(STANDS_STILL)
    before = await scrolled(page)
    await has_text(run, "t1500")

    assert abs(await scrolled(page) - before) < 1
    await latest_button(page).click()
    await expect(latest_button(page)).to_be_hidden()
    await ended(run)
    # What the end has added is followed before it is drawn.
    await page.wait_for_function(AT_END)


async def test_copies_are_markdown_and_code(new_context: NewContext) -> None:
    context = await new_context(permissions=["clipboard-read", "clipboard-write"])
    page = await context.new_page()
    await page.goto("/")
    run = await ask_to_the_end(page, "[[text Some **bold**:\n\n```python\nx = [1]\n```]]")

    await run.get_by_role("button", name="Copy code").click()
    assert await page.evaluate("navigator.clipboard.readText()") == "x = [1]\n"
    await run.get_by_role("button", name="Copy", exact=True).click()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied == "Some **bold**:\n\n```python\nx = [1]\n```"


async def test_the_sidebar_learns_of_other_tabs(page: Page, alice: Person) -> None:
    started: dict[str, Any] = alice.api.post(
        "/api/conversations/",
        content=json.dumps({"message": "[[text A whisper]]"}),
        headers={"Content-Type": "application/json"},
    ).json()

    link = page.get_by_role("navigation", name="Conversations").locator(
        f'a[href="/c/{started["conversation_id"]}/"]'
    )
    await expect(link).to_have_text("[[text A whisper]], new answer")


STANDS_STILL = """() => new Promise((resolve) => {
  const log = document.querySelector("[role=log]");
  let last = log.scrollTop, frames = 0;
  const look = () => {
    frames = log.scrollTop === last ? frames + 1 : 0;
    last = log.scrollTop;
    frames > 10 ? resolve(true) : requestAnimationFrame(look);
  };
  look();
})"""
# The entries of an answer: a call by its id, a line by its words.
SHOWN = """(all) => all.map((entry) => entry.querySelector("[data-tool-run]")?.dataset.toolRun
  ?? (entry.querySelector("[data-content]") ? "text" : entry.innerText))"""
AT_END = """() => {
  const log = document.querySelector("[role=log]");
  return log.scrollHeight - log.scrollTop - log.clientHeight < 5;
}"""


async def shown(run: Locator) -> list[str]:
    entries: list[str] = await run.locator(".rail > li").evaluate_all(SHOWN)
    return entries


async def scrolled(page: Page) -> float:
    return float(await page.eval_on_selector("[role=log]", "(log) => log.scrollTop"))
