"""The account page in a browser."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import NewContext
from tests.browser.steps import ask_to_the_end, sideways

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
