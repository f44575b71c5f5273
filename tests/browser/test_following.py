"""What a reader is told while answers come: by the view, by a screen reader, after an outage."""

import asyncio
import json

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from tests.browser.conftest import NewContext
from tests.browser.steps import ask, ask_to_the_end, ended, has_text, latest_button, stop_button
from tests.browser.test_answers import AT_END, STANDS_STILL
from tests.people import Person

pytestmark = pytest.mark.asyncio(loop_scope="session")

# What is said aloud: each change of a live region, with how urgent it is.
HEARD = """() => {
  window.heard = [];
  for (const node of document.querySelectorAll("live-status, [data-alert]")) {
    new MutationObserver(() => {
      if (node.textContent) heard.push([node.role ?? node.getAttribute("role"), node.textContent]);
    }).observe(node, { childList: true, characterData: true, subtree: true });
  }
}"""
# The furthest that the end was from view in any frame while `text` was not there yet. Told of a new
# size after the page was, and before it is drawn.
FURTHEST = """(text) => new Promise((resolve) => {
  const view = document.querySelector("[role=log]");
  let furthest = 0;
  const watching = new ResizeObserver(() => {
    furthest = Math.max(furthest, view.scrollHeight - view.scrollTop - view.clientHeight);
    if (!view.textContent.includes(text)) return;
    watching.disconnect();
    resolve(furthest);
  });
  watching.observe(view.querySelector(".log"));
})"""


async def test_the_end_stays_in_view_until_one_scrolls_up(page: Page) -> None:
    run = await ask(page, "[[tokens 15000 delay 2]]")
    await has_text(run, "t900")
    log = page.get_by_role("log")

    assert await page.evaluate(FURTHEST, "t1200") < 5
    await expect(latest_button(page)).to_be_hidden()
    await log.focus()
    await page.keyboard.press("PageUp")
    await expect(latest_button(page)).to_be_visible()
    # It glides, and gliding up lets go again.
    await page.wait_for_function(STANDS_STILL)
    await latest_button(page).click()
    await expect(latest_button(page)).to_be_hidden()
    await stop_button(page).click()
    await ended(run, "cancelled")
    await page.wait_for_function(AT_END)


async def test_an_answer_is_told_in_three_sentences_and_a_failure_in_one(page: Page) -> None:
    await page.evaluate(HEARD)
    calls = '[[call echo {"text": "a"}]][[call echo {"text": "b"}]][[then]]'
    await ask_to_the_end(page, f"[[reason Hm.]]{calls}{calls}[[tokens 100 delay 5]]")

    assert await page.evaluate("heard") == [
        ["status", "Answering."],
        ["status", "Using tools."],
        ["status", "The answer is complete."],
    ]
    await page.evaluate("heard.length = 0")
    await ask(page, "[[text So far]][[error The model is out of breath]]")
    failed = page.locator("[data-run]").nth(1)
    await expect(failed).to_have_attribute("data-state", "failed")
    await expect(failed.get_by_role("group", name="Error")).to_be_visible()
    told = await failed.locator(".oops b").inner_text()
    assert await page.evaluate("heard") == [["status", "Answering."], ["alert", told]]

    # Outside of the log, which says nothing itself; each message has its heading.
    await expect(page.locator("[role=log] :is([role=status], [role=alert])")).to_have_count(0)
    await expect(page.get_by_role("log")).to_have_attribute("aria-live", "off")
    headings = page.locator("[data-message] > h2")
    await expect(headings).to_have_text(["You said", "Assistant"] * 2)
    for heading in await headings.all():
        box = await heading.bounding_box()
        assert box
        assert box["width"] <= 1


async def test_the_end_of_an_answer_leaves_the_question_as_it_is_used(page: Page) -> None:
    run = await ask(page, "[[tokens 100 delay 10]]")
    await has_text(run, "t9")
    asked = page.locator('[data-role="user"]')
    await asked.get_by_role("button", name="Copy").focus()
    await asked.locator(".said").evaluate("(said) => getSelection().selectAllChildren(said)")

    await ended(run)

    await expect(asked.get_by_role("button", name="Edit")).to_be_visible()
    await expect(asked.get_by_role("button", name="Copy")).to_be_focused()
    assert await page.evaluate("getSelection().toString()") == "[[tokens 100 delay 10]]"


async def test_what_began_while_nothing_was_announced_is_there_afterwards(
    new_context: NewContext, alice: Person
) -> None:
    page = await (await new_context()).new_page()
    sockets: list[WebSocketRoute] = []
    is_back = asyncio.Event()

    async def connect(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        if len(sockets) > 1:
            await is_back.wait()
        socket.connect_to_server()

    await page.route_web_socket("**/ws/", connect)
    await page.goto("/")
    await ask_to_the_end(page, "[[text One.]]")
    conversation = page.url.rstrip("/").rpartition("/")[2]

    await sockets[0].close()
    response = await asyncio.to_thread(
        alice.api.post,
        f"/api/conversations/{conversation}/messages/",
        content=json.dumps({"message": "[[text Two.]]"}),
        headers={"Content-Type": "application/json"},
    )
    run_id = response.json()["run_id"]
    await asyncio.to_thread(alice.api.get, f"/api/runs/{run_id}/events/")
    await expect(page.locator("[data-run]")).to_have_count(1)
    is_back.set()

    await has_text(page.locator("[data-run]").nth(1), "Two.")
    await expect(page.locator("[data-message]")).to_have_count(4)
