"""The box: what sends, what does not, and what is never lost."""

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.conftest import NewContext
from tests.browser.steps import ask, ask_to_the_end, has_text, stop_button, write

pytestmark = pytest.mark.asyncio(loop_scope="session")

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
    held: list[Route] = []

    async def hold(route: Route) -> None:
        held.append(route)

    await page.route("**/api/conversations/", hold)
    box = await write(page, "[[text Patience.]]")
    await box.press("Enter")

    await expect(page.locator('[data-role="user"] [data-content]')).to_be_visible()
    await expect(box).to_have_value("")
    await expect(page.locator("[data-working]")).to_be_visible()
    await held[0].continue_()
    await has_text(page.locator("[data-run]"), "Patience.")


async def test_a_draft_survives_a_reload(page: Page) -> None:
    await ask_to_the_end(page, "[[text Hi.]]")
    await write(page, "half a thou")

    await page.reload()
    await expect(page.locator("textarea")).to_have_value("half a thou")

    await page.goto("/")
    await expect(page.locator("textarea")).to_have_value("")


async def test_a_failed_send_gives_the_text_back_and_says_why(new_context: NewContext) -> None:
    page = await (await new_context(may_complain_of="status of 400")).new_page()
    await page.goto("/")
    long = "word " * 20_001
    box = page.locator("textarea")
    await box.evaluate("(box, text) => { box.value = text; }", long)

    await box.press("Enter")

    await expect(page.get_by_role("alert").filter(has_text="100,005")).to_be_visible()
    await expect(page.locator("[data-message]")).to_have_count(0)
    assert len(await box.input_value()) == 100_005


async def test_a_message_is_kept_when_the_session_has_ended(new_context: NewContext) -> None:
    page = await (await new_context(may_complain_of="status of 401")).new_page()
    await page.goto("/")
    await page.context.clear_cookies(name="sessionid")
    box = await write(page, "Do not lose me")

    await box.press("Enter")

    await page.wait_for_url("**/accounts/login/**")
    stored = await page.evaluate("Object.values(localStorage)")
    assert stored == ["Do not lose me"]


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
    await page.get_by_role("button", name="Explain an error").click()

    await expect(page.locator("textarea")).to_have_value(
        "What does this error mean, and what can I do about it?\n\n"
    )
    await expect(page.locator("textarea")).to_be_focused()


async def test_a_second_message_waits_for_the_first_answer(page: Page) -> None:
    await ask(page, "[[tokens 2000 delay 5]]")
    await expect(stop_button(page)).to_be_visible()
    box = await write(page, "and another")

    await box.press("Enter")

    await expect(box).to_have_value("and another")
    await expect(page.locator('[data-role="user"]')).to_have_count(1)
    await stop_button(page).click()
