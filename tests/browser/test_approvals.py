"""A call that must be allowed: the card, its exact arguments, the decision, a reload."""

import asyncio
import re
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from chat.models import Session
from tests.browser.conftest import NewContext
from tests.browser.steps import TOKENS, ask, ended, side, stop_button
from tests.browser.test_composer import hold
from tests.people import Person
from tests.servers.mcp_server import ScriptedMCPServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

WIPE = '[[call wipe {"path": "/a <b>", "force": true}]][[then]][[text Done.]]'
CARDS = re.compile(r"/tool-runs/[^/]+/approval/$")
# What has come is drawn by then.
FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
REFUSED = "status of 40"


@pytest.fixture(autouse=True)
def calls(mcp_server: ScriptedMCPServer) -> list[tuple[str, dict[str, Any]]]:
    mcp_server.calls.clear()
    return mcp_server.calls


@pytest_asyncio.fixture(loop_scope="session")
async def page(new_context: NewContext) -> Page:
    viewport = {"width": 1280, "height": 800}
    context = await new_context(viewport=viewport, may_complain_of=REFUSED)
    opened = await context.new_page()
    await opened.goto("/")
    return opened


def card_on(page: Page) -> Locator:
    return page.locator("[data-approval]")


def button(page: Page, name: str) -> Locator:
    return card_on(page).get_by_role("button", name=name, exact=True)


async def test_it_is_allowed_with_its_exact_arguments_before_one_s_eyes(
    page: Page, calls: list[Any]
) -> None:
    run = await ask(page, WIPE)
    card = card_on(page)
    await expect(card.get_by_role("heading")).to_have_text("Allow “Wipe”?")
    await expect(card.locator("pre")).to_have_text('{ "path": "/a <b>", "force": true }')
    await expect(card.locator(".origin")).to_have_text("wipe · main")
    await expect(run).to_have_attribute("data-state", "awaiting_approval")
    tool = page.locator("[data-tool-run]")
    await expect(tool).to_have_attribute("data-state", "awaiting_approval")
    await expect(tool).to_contain_text("Needs your approval")
    await expect(page).to_have_title(re.compile("^◆ Waits for you · "))
    alarm = page.locator("[data-alert]")
    await expect(alarm).to_have_text("A tool needs your approval.")
    # The list says so, too, wherever one is.
    await expect(side(page).locator(".dot.waiting")).to_be_visible()
    # Nobody's focus is taken.
    await expect(card.locator(":focus")).to_have_count(0)

    # It is all there after a reload, which is where it is decided: twice at once.
    await page.reload()
    assert not calls
    await button(page, "Allow").dblclick()
    await ended(page.locator("[data-run]"))

    assert calls == [("wipe", {"path": "/a <b>", "force": True})]
    await expect(tool).to_have_attribute("data-state", "ok")
    await expect(card).to_contain_text("You allowed it.")
    await expect(card.get_by_role("button")).to_have_count(0)


async def test_it_is_denied_with_the_keyboard(page: Page, calls: list[Any]) -> None:
    await ask(page, WIPE)
    await button(page, "Allow").focus()
    await page.keyboard.press("Tab")
    await expect(button(page, "Deny")).to_be_focused()
    await page.keyboard.press("Enter")

    await ended(page.locator("[data-run]"))
    await expect(card_on(page)).to_contain_text("You denied it.")
    tool = page.locator("[data-tool-run]")
    # The button is gone; the keyboard goes on from the call.
    await expect(tool.locator("summary").first).to_be_focused()
    await expect(tool).to_have_attribute("data-state", "denied")
    await expect(tool.locator("[data-result]")).to_contain_text("The person refused this call.")
    assert not calls


async def test_arguments_are_changed_and_said_to_be(page: Page, calls: list[Any]) -> None:
    await ask(page, WIPE)
    card = card_on(page)
    await card.get_by_text("Change the arguments").click()
    box = card.get_by_role("textbox", name="Arguments to call it with")
    await box.fill('{"path": ')
    await button(page, "Allow").click()
    await expect(card.get_by_role("alert")).to_have_text("The arguments must be a JSON object.")
    await expect(box).to_have_value('{"path": ')
    await expect(box).to_be_focused()

    await box.fill('{"path": "/c"}')
    await button(page, "Allow").click()
    await ended(page.locator("[data-run]"))
    assert calls == [("wipe", {"path": "/c", "force": False})]
    await card.get_by_text("Called with arguments that you changed").click()
    await expect(card.locator("pre")).to_have_text('{ "path": "/c" }')


async def test_always_is_for_this_conversation(page: Page, calls: list[Any]) -> None:
    await ask(page, WIPE)
    await button(page, "Always allow in this conversation").click()
    await ended(page.locator("[data-run]"))
    await ask(page, WIPE)
    await ended(page.locator("[data-run]").nth(1))
    await expect(card_on(page)).to_have_count(1)
    await expect(card_on(page)).to_contain_text("You allowed it, always in this conversation.")
    assert len(calls) == 2

    await card_on(page).get_by_role("link", name="Change that").click()
    allowed = page.get_by_role("region", name="Always allowed here")
    await expect(allowed.get_by_role("listitem")).to_contain_text("Wipe · Tools")
    await allowed.get_by_role("button", name="Ask again").click()
    await expect(allowed).to_have_count(0)
    await page.get_by_role("link", name="Back to the chat").click()
    await ask(page, WIPE)
    await button(page, "Deny").click()
    await ended(page.locator("[data-run]").nth(2))
    assert len(calls) == 2


async def test_stopped_nobody_is_asked_any_more(page: Page, calls: list[Any]) -> None:
    await ask(page, WIPE)
    await expect(button(page, "Allow")).to_be_visible()
    await stop_button(page).click()
    await ended(page.locator("[data-run]"), "cancelled")
    await expect(card_on(page).get_by_role("button")).to_have_count(0)
    await expect(card_on(page)).to_contain_text("Not decided.")
    assert not calls


async def test_a_card_that_comes_after_the_end_changes_nothing(page: Page) -> None:
    held = await hold(page, CARDS)
    run = await ask(page, WIPE)
    first = await held()
    answer = await first.fetch()
    await stop_button(page).click()
    await ended(run, "cancelled")
    await expect(card_on(page)).to_contain_text("Not decided.")

    async with page.expect_response(CARDS):
        await first.fulfill(response=answer)
    await page.evaluate(FRAMES)

    await expect(card_on(page)).to_contain_text("Not decided.")
    await expect(card_on(page).get_by_role("button")).to_have_count(0)
    await expect(run.locator("[data-working]")).to_have_count(0)


async def test_an_older_card_does_not_replace_a_newer_one(page: Page) -> None:
    held = await hold(page, CARDS)
    run = await ask(page, f"{WIPE.partition('[[then]]')[0]}[[then]][[stall]]")
    first = await held()
    answer = await first.fetch()
    other = await page.context.new_page()
    await other.goto(page.url)
    await button(other, "Allow").click()
    await (await held()).continue_()
    await expect(card_on(page)).to_contain_text("You allowed it.")

    async with page.expect_response(CARDS):
        await first.fulfill(response=answer)
    await page.evaluate(FRAMES)

    await expect(card_on(page)).to_contain_text("You allowed it.")
    await stop_button(page).click()
    await ended(run, "cancelled")


async def test_without_scripts_the_form_does_the_same(
    new_context: NewContext, alice: Person, calls: list[Any]
) -> None:
    context = await new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto("/")
    await page.locator("textarea[name=message]").fill(WIPE)
    await page.get_by_role("button", name="Send").click()
    for _ in range(20):
        if await button(page, "Allow").count():
            break
        await page.reload()
    await button(page, "Allow").click()
    await page.wait_for_url("**/c/**")
    for _ in range(20):
        if await page.get_by_text("Done.", exact=True).count():
            break
        await page.reload()
    await expect(card_on(page)).to_contain_text("You allowed it.")
    assert len(calls) == 1


async def test_who_signs_in_anew_in_another_tab_decides_and_stops_in_this_one(
    page: Page, new_context: NewContext, alice: Person, calls: list[Any]
) -> None:
    await ask(page, WIPE)
    await expect(button(page, "Allow")).to_be_visible()
    # Signed out in between, whatever this page asks for then would lead it to sign in.
    anew = await new_context(session=None)
    tab = await anew.new_page()
    await tab.goto("/")
    await tab.fill("[name=username]", alice.username)
    await tab.fill("[name=password]", alice.password)
    await tab.keyboard.press("Enter")
    await tab.wait_for_url("**/")
    await page.context.add_cookies(await anew.cookies())  # type: ignore[arg-type]

    await button(page, "Allow").click()
    await ended(page.locator("[data-run]"))
    run = await ask(page, TOKENS)
    await stop_button(page).click()

    await ended(run, "cancelled")
    assert len(calls) == 1


async def test_who_is_signed_out_meanwhile_is_led_to_sign_in(
    page: Page, alice: Person, calls: list[Any]
) -> None:
    await ask(page, WIPE)
    await expect(button(page, "Allow")).to_be_visible()
    await asyncio.to_thread(Session.objects.filter(session_key=alice.session_cookie).delete)
    await button(page, "Allow").click()
    await page.wait_for_url(re.compile(r"/accounts/login/\?next=%2Fc%2F"))
    assert not calls
