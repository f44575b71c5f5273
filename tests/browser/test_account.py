"""The account page in a browser."""

import asyncio

import pytest
from playwright.async_api import Page, expect

from chat.models import Session
from tests.browser.conftest import NewContext
from tests.browser.steps import ask_to_the_end, side, sideways
from tests.people import Person

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_what_is_chosen_once_holds_everywhere(page: Page, new_context: NewContext) -> None:
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_role("link", name="Account").click()
    await page.get_by_label("Default system prompt").fill("Answer in rhyme.")
    await page.get_by_role("region", name="New chats").get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    async with page.expect_response("**/theme/"):
        await page.get_by_role("button", name="Theme").click()
    await expect(page.get_by_role("radio", name="Dark")).to_be_checked()

    await page.goto("/")
    await ask_to_the_end(page, "[[text Hello]]")
    await page.get_by_role("banner").get_by_role("button", name="More").click()
    await page.get_by_role("link", name="System prompt").click()
    prompt = page.get_by_label("System prompt")
    await expect(prompt).to_have_value("Answer in rhyme.")
    await prompt.fill("Answer in prose.")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("log")).to_be_visible()

    await page.goto("/account/")
    await page.get_by_label("Name of a new token").fill("laptop")
    await page.get_by_role("button", name="Make a token").click()
    token = await page.locator(".secret code").inner_text()
    await page.get_by_role("button", name="Copy", exact=True).click()
    assert await page.evaluate("navigator.clipboard.readText()") == token
    await page.get_by_role("link", name="Revoke laptop").click()
    await page.get_by_role("button", name="Revoke").click()
    await expect(page.get_by_role("status").filter(has_text="revoked")).to_be_visible()
    await expect(page.get_by_role("link", name="Revoke laptop")).to_have_count(0)

    phone = await new_context(viewport={"width": 375, "height": 812}, java_script_enabled=False)
    small = await phone.new_page()
    await small.goto("/account/")
    assert await sideways(small) == 0
    await small.get_by_role("radio", name="Light").check()
    appearance = small.get_by_role("region", name="Appearance")
    await appearance.get_by_role("button", name="Save").click()
    await expect(small.locator("html")).to_have_attribute("data-theme", "light")
    await expect(small.get_by_label("Default system prompt")).to_have_value("Answer in rhyme.")


@pytest.mark.slow
async def test_who_signs_out_in_one_tab_is_signed_out_in_all(new_context: NewContext) -> None:
    page = await (await new_context(may_complain_of="status of 401")).new_page()
    await page.goto("/")
    await ask_to_the_end(page, "[[text For my eyes only.]]")
    other = await page.context.new_page()
    await other.goto("/")

    await other.get_by_role("button", name="Sign out").click()

    # Who reads is looked at every 15 s.
    await page.wait_for_url("**/accounts/login/?next=%2Fc%2F*", timeout=30_000)
    await expect(page.get_by_text("For my eyes only.")).to_have_count(0)


@pytest.mark.slow
async def test_who_signs_in_anew_in_one_tab_stays_in_all(
    new_context: NewContext, alice: Person
) -> None:
    page = await (await new_context()).new_page()
    await page.goto("/")
    await ask_to_the_end(page, "[[text Hi.]]")
    await page.evaluate("() => { window.isSame = true; }")
    other = await page.context.new_page()
    await page.context.clear_cookies(name="sessionid")
    await other.goto("/")
    await other.fill("[name=username]", alice.username)
    await other.fill("[name=password]", alice.password)
    await other.keyboard.press("Enter")
    await other.wait_for_url("**/")

    async with page.expect_event("websocket", timeout=30_000):
        await asyncio.to_thread(Session.objects.filter(session_key=alice.session_cookie).delete)

    await ask_to_the_end(other, "[[text A whisper.]]")
    await expect(side(page).get_by_text("A whisper.")).to_be_visible()
    assert await page.evaluate("isSame")
