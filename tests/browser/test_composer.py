"""The box: what sends, what does not, and what is never lost."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Locator, Page, Route, expect

from tests.browser.conftest import NewContext
from tests.browser.steps import ask, ask_to_the_end, ended, has_text, stop_button, write
from tests.people import Person
from tests.servers.model_server import ScriptedModelServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Far more than it takes, and far less than what grows with the square of the text would.
PASTE_SECONDS = 5
COMPOSING = """(box, init) => box.dispatchEvent(
  new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true, ...init }))"""


async def test_enter_sends_and_shift_enter_breaks_the_line(page: Page) -> None:
    box = await write(page, "[[text one")

    await box.press("Shift+Enter")
    await box.press_sequentially("two]]")
    assert await box.input_value() == "[[text one\ntwo]]"
    await box.press("Enter")

    await expect(page.locator('[data-role="user"] [data-content]')).to_have_text(
        "[[text one\ntwo]]", use_inner_text=True
    )
    await expect(box).to_have_value("")
    await has_text(page.locator("[data-run]"), "one")


@pytest.mark.parametrize("init", [{"isComposing": True}, {"keyCode": 229}])
async def test_enter_while_composing_never_sends(page: Page, init: dict[str, object]) -> None:
    box = await write(page, "日本")

    await box.evaluate(COMPOSING, init)

    # A send would have emptied the box and shown the message in the same task.
    await expect(box).to_have_value("日本")
    await expect(page.locator("[data-message]")).to_have_count(0)


async def test_white_space_is_no_message(page: Page) -> None:
    box = await write(page, "  \n ")

    await box.press("Enter")

    await expect(page.locator("[data-message]")).to_have_count(0)


async def test_a_double_enter_sends_once(page: Page) -> None:
    sent: list[str] = []
    page.on(
        "request", lambda request: sent.append(request.url) if request.method == "POST" else None
    )
    box = await write(page, "[[text Once.]]")

    await box.evaluate("(box) => { box.form.requestSubmit(); box.form.requestSubmit(); }")
    await has_text(page.locator("[data-run]"), "Once.")

    assert len(sent) == 1
    await expect(page.locator("[data-message]")).to_have_count(2)


async def test_the_message_is_there_before_the_server_answers(page: Page) -> None:
    held = await hold(page, "**/api/conversations/")
    box = await write(page, "[[text Patience.]]")
    await box.press("Enter")

    await expect(page.locator('[data-role="user"] [data-content]')).to_be_visible()
    await expect(box).to_have_value("")
    await expect(page.locator("[data-working]")).to_be_visible()
    await (await held()).continue_()
    await has_text(page.locator("[data-run]"), "Patience.")


async def test_a_draft_survives_a_reload(page: Page) -> None:
    await ask_to_the_end(page, "[[text Hi.]]")
    await write(page, "half a thou")

    await page.reload()
    await expect(page.locator("textarea")).to_have_value("half a thou")

    await page.goto("/")
    await expect(page.locator("textarea")).to_have_value("")


async def test_a_send_that_fails_loses_nothing_and_repeats_nothing(
    new_context: NewContext,
) -> None:
    page = await (await new_context(may_complain_of="ERR_FAILED")).new_page()
    await page.goto("/")
    await ask_to_the_end(page, "[[text Hi.]]")
    box = await write(page, "[[text Only once.]]")
    held = await hold(page, "**/messages/")

    # While it is under way, something else is written; then the way back is cut.
    await box.press("Enter")
    await expect(page.locator("[data-working]")).to_be_visible()
    await box.fill("and another")
    route = await held()
    await route.fetch()
    await route.abort()
    await expect(page.get_by_role("alert").filter(has_text="could not be reached")).to_be_visible()
    await expect(box).to_have_value("[[text Only once.]]\n\nand another")

    # The same once more, with an answer that is lost because the page is left.
    await page.unroute("**/messages/")
    await ended(page.locator("[data-run]").nth(1))
    held = await hold(page, "**/messages/")
    await box.fill("[[text Twice?]]")
    await box.press("Enter")
    await expect(page.locator("[data-working]")).to_be_visible()
    await (await held()).fetch()
    await page.goto("/account/")
    await page.go_back()
    await has_text(page.locator("[data-run]").nth(2), "Twice?")
    await expect(box).to_have_value("")
    await expect(page.locator('[data-role="user"]')).to_have_count(3)


async def test_what_is_too_long_is_said_before_it_is_sent(new_context: NewContext) -> None:
    context = await new_context(permissions=["clipboard-read", "clipboard-write"])
    page = await context.new_page()
    await page.goto("/")
    asked: list[str] = []
    page.on("request", lambda it: asked.append(it.url) if it.method == "POST" else None)
    box, count = page.locator("textarea"), page.locator(".count")
    send = page.get_by_role("button", name="Send")
    most = int(await box.get_attribute("data-most") or 0)
    assert most == 100_000
    # Letters beyond the first plane are one to the server, and two to a browser.
    text = ("[[text Read.]] \N{OTTER}\n" + "otters play\n" * most)[:most] + "extra"
    await page.evaluate("(text) => navigator.clipboard.writeText(text)", text)

    began = time.monotonic()
    await box.press("ControlOrMeta+v")
    await expect(count).to_have_text("5 characters too many")
    assert time.monotonic() - began < PASTE_SECONDS
    await expect(send).to_have_attribute("aria-disabled", "true")
    await expect(send).to_have_accessible_description("5 characters too many")
    await box.press("Enter")
    await expect(
        page.get_by_role("alert").filter(has_text="has 100,005 characters; 100,000 are the most")
    ).to_be_visible()
    assert asked == []

    await page.reload()
    await expect(count).to_have_text("5 characters too many")
    for _ in range(6):
        await box.press("Backspace")
    await expect(count).to_have_text("1 character left")
    await expect(page.locator(".box .problem")).to_be_hidden()
    await send.click()
    said = page.locator('[data-role="user"] [data-content]')
    await expect(page.locator("[data-run]")).to_have_attribute("data-state", "completed")
    assert await said.evaluate("(it) => it.textContent") == text[:-6]
    await expect(count).to_be_hidden()


async def test_a_message_is_kept_over_the_sign_in(new_context: NewContext, alice: Person) -> None:
    page = await (await new_context(may_complain_of="status of 401")).new_page()
    await page.goto("/")
    await ask_to_the_end(page, "[[text Hi.]]")
    url = page.url
    await page.context.clear_cookies(name="sessionid")
    box = await write(page, "[[text Do not lose me]]")

    await box.press("Enter")
    await page.wait_for_url("**/accounts/login/**")
    await page.fill("[name=username]", alice.username)
    await page.fill("[name=password]", alice.password)
    await page.keyboard.press("Enter")

    await page.wait_for_url(url)
    await expect(box).to_have_value("[[text Do not lose me]]")
    await box.press("Enter")
    await has_text(page.locator("[data-run]").nth(1), "Do not lose me")
    await page.reload()
    await expect(box).to_have_value("")


async def test_enter_breaks_the_line_on_touch(new_context: NewContext) -> None:
    context = await new_context(
        viewport={"width": 375, "height": 812}, has_touch=True, is_mobile=True
    )
    page = await context.new_page()
    await page.goto("/")
    box = await write(page, "one")

    await box.press("Enter")

    await expect(box).to_have_value("one\n")


async def test_the_keyboard_alone_is_enough(page: Page) -> None:
    await expect(page.locator("textarea")).to_be_focused()
    await page.keyboard.type('[[call echo {"text": "a"}]][[then]][[text Done.]]')
    await page.keyboard.press("Enter")
    run = page.locator("[data-run]")
    await has_text(run, "Done.")
    await expect(page.locator("textarea")).to_be_focused()

    await run.locator("details.tool summary").focus()
    await page.keyboard.press("Enter")
    await expect(run.locator("[data-result]")).to_be_visible()
    await page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keyboard shortcuts")
    await expect(keys).to_contain_text("Shift Enter")
    await expect(keys.get_by_role("heading")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(keys).to_be_hidden()
    await page.keyboard.press("/")
    await expect(page.locator("textarea")).to_be_focused()
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("heading", name="What are you working on?")).to_be_visible()


async def test_events_never_move_the_focus(page: Page) -> None:
    await ask(page, '[[call slow {"seconds": 0.5, "steps": 3}]][[then]][[text Done.]]')
    search = page.get_by_role("searchbox", name="Search chats")
    await search.focus()

    await has_text(page.locator("[data-run]"), "Done.")

    await expect(search).to_be_focused()


async def test_a_suggestion_fills_the_box(page: Page) -> None:
    await expect(page.get_by_role("heading", name="What are you working on?")).to_be_visible()
    await expect(page.locator(".suggestions button")).to_have_count(4)
    await page.get_by_role("button", name="Explain an error").click()

    await expect(page.locator("textarea")).to_have_value(
        "What does this error mean, and what can I do about it?\n\n"
    )
    await expect(page.locator("textarea")).to_be_focused()


async def test_one_message_waits_for_the_end_of_the_answer(
    page: Page, model_server: ScriptedModelServer
) -> None:
    run = await ask(page, "[[tokens 5000 delay 5]]")
    await has_text(run, "t9")
    send, waiting = page.get_by_role("button", name="Send"), next_message(page)
    await expect(send).to_be_hidden()
    box = await write(page, "[[text A second.]]")
    await expect(send).to_be_visible()

    await box.press("Enter")
    await expect(waiting).to_contain_text("[[text A second.]]Sent when the answer ends.")
    await expect(box).to_have_value("")
    # There is room for one.
    await box.fill("a third")
    await box.press("Enter")
    alert = page.get_by_role("alert").filter(has_text="One message is waiting")
    await expect(alert).to_be_visible()
    await expect(box).to_have_value("a third")
    await waiting.get_by_role("button", name="Remove the next message").click()
    await expect(waiting).to_be_hidden()
    await box.press("Enter")
    await expect(waiting).to_contain_text("a third")

    # It is kept over a reload, and known in the other tabs.
    other = await page.context.new_page()
    await other.goto(page.url)
    await page.reload()
    await waiting.get_by_role("button", name="Change the next message").click()
    await expect(box).to_have_value("a third")
    await expect(box).to_be_focused()
    await expect(next_message(other)).to_be_hidden()
    await box.fill("[[text A third, changed.]]")
    await box.press("Enter")
    await expect(next_message(other)).to_contain_text("A third, changed.")

    # A stopped answer is no reason to go on.
    await stop_button(page).click()
    await ended(run, "cancelled")
    for tab in (page, other):
        await expect(next_message(tab)).to_contain_text("A third, changed.")
        await expect(next_message(tab).get_by_text("Sent when")).to_be_hidden()
    await waiting.get_by_role("button", name="Ask now").click()
    for tab in (page, other):
        await has_text(tab.locator("[data-run]").nth(1), "A third, changed.")
        await expect(next_message(tab)).to_be_hidden()

    # A complete one is: in whichever tab sees it first, and once.
    run = await ask(page, "[[tokens 200 delay 5]]")
    await has_text(run, "t9")
    box = await write(page, "[[text And then.]]")
    await box.press("Enter")
    await box.fill("and a draft")
    for tab in (page, other):
        await has_text(tab.locator("[data-run]").nth(3), "And then.")
        await ended(tab.locator("[data-run]").nth(3))
        await expect(tab.locator("[data-message]")).to_have_count(8)
        await expect(next_message(tab)).to_be_hidden()
    await expect(box).to_have_value("and a draft")
    asked = [body["messages"][-1]["content"] for _, body in model_server.requests]
    assert asked.count("[[text And then.]]") == 1


async def hold(page: Page, url: str) -> Callable[[], Awaitable[Route]]:
    """Requests to there wait for the test to let them pass; what is given back waits for one."""
    held: asyncio.Queue[Route] = asyncio.Queue()
    await page.route(url, held.put)
    return lambda: asyncio.wait_for(held.get(), 10)


def next_message(page: Page) -> Locator:
    return page.locator("next-message")
