"""axe finds nothing: on every page, in every state, light and dark."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import NewContext
from tests.browser.steps import ask, ask_to_the_end, ended, stop_button
from tests.servers.site import ROOT

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = ROOT / "tests" / "vendor" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
CHECK = """
async (only) => {
  // Colours that are still on their way are nobody's; nothing may move for ever, as was asked.
  const moving = document.getAnimations();
  const endless = moving.filter((one) => one.effect.getTiming().iterations === Infinity);
  if (endless.length) return endless.map((one) => `moves: ${one.effect.target.outerHTML}`);
  await Promise.allSettled(moving.map((one) => one.finished));
  const { violations } = await axe.run({ runOnly: only, resultTypes: ["violations"] });
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}`));
}
"""
# Other tests have left hundreds of rows, which are alike.
SHORTEN = """() => {
  for (const row of document.querySelectorAll("#result_list tr:nth-child(n + 11)")) row.remove();
}"""
STORY = (
    '[[reason Hm, hm.]][[text Let me see.]][[call echo {"text": "grey seals"}]]'
    '[[call fail {"text": "no such port"}]][[then]][[text # They swim\n\n'
    "| a | b |\n|---|---|\n| 1 | [two](https://x.example/) |\n\n```python\nx = 1  # one\n```\n]]"
)
ANOTHER = '[[call echo {"text": "seals"}]][[then]][[text Seals.]]'
TO_BE_ALLOWED = '[[call wipe {"path": "/a"}]][[then]][[text Done.]]'
ADMIN_PAGES = (
    *("", "health/", "usage/", "model-checks/", "chat/toolrun/", "chat/agentrun/"),
    *("chat/mcpserver/", "chat/toolrule/", "chat/toolrule/add/", "chat/toolrule/try/"),
    *("chat/quota/", "chat/ledgerentry/", "chat/staffaccess/", "chat/toolrunexport/"),
    *("chat/invitation/", "chat/invitation/add/", "mfa/authenticator/"),
)
BROKEN = "[[text So far]][[error The model is out of breath]]"
SLOW = '[[call slow {"seconds": 60, "steps": 600}]]'
WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 375, "height": 812}


class Examined:
    """A page under examination. Its context lets axe in, which our policy would not."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.found: list[str] = []

    async def look(self, state: str, url: str = "") -> None:
        """All rules in the light; the dark differs in its colours alone."""
        if url:
            await self.page.goto(url)
        await self.page.evaluate("window.axe?.version") or await self.page.add_script_tag(path=AXE)
        await self.page.evaluate(SHORTEN)
        for scheme, only in (("light", RULES), ("dark", ["color-contrast"])):
            await self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            kind = "tag" if only is RULES else "rule"
            broken = await self.page.evaluate(CHECK, {"type": kind, "values": only})
            self.found += [f"{state}, {scheme}: {sentence}" for sentence in broken]


async def examine(new_context: NewContext, session: dict[str, Any] | None) -> Examined:
    context = await new_context(
        session=session, bypass_csp=True, viewport=WIDE, may_complain_of="status of 404"
    )
    return Examined(await context.new_page())


async def test_a_call_to_be_allowed_breaks_no_rule(
    new_context: NewContext, carols_session: dict[str, Any]
) -> None:
    examined = await examine(new_context, carols_session)
    page, look = examined.page, examined.look
    await page.goto("/")
    run = await ask(page, TO_BE_ALLOWED)
    card = page.locator("[data-approval]")
    await card.get_by_text("Change the arguments").click()
    await look("a call to be allowed")
    await card.get_by_role("button", name="Always allow in this conversation").click()
    await ended(run)
    await look("a call that was allowed")
    await look("what is always allowed", f"{page.url.partition('#')[0]}options/")

    assert not examined.found, "\n".join(examined.found)


async def test_the_chat_breaks_no_rule(
    new_context: NewContext, carols_session: dict[str, Any]
) -> None:
    examined = await examine(new_context, carols_session)
    page, look = examined.page, examined.look

    await look("a new chat", "/")
    run = await ask_to_the_end(page, STORY)
    for summary in await run.locator("summary").all():
        await summary.click()
    await look("a long answer, all open")
    await page.get_by_role("button", name="Activity").click()
    await look("the drawer of activity")
    await page.keyboard.press("Escape")
    await ask(page, BROKEN)
    await expect(page.get_by_role("group", name="Error")).to_be_visible()
    await look("an error")
    run = await ask(page, SLOW)
    await expect(run.locator("[data-tool-run]")).to_have_attribute("data-state", "running")
    await look("a tool at work")
    await stop_button(page).click()
    await ended(run, "cancelled")
    await look("a stopped answer")
    await page.get_by_role("banner").get_by_role("button", name="More", exact=True).click()
    await look("the menu")
    await page.keyboard.press("Escape")
    await page.get_by_role("searchbox", name="Search chats").fill("seals")
    await expect(page.locator(".side mark").first).to_be_visible()
    await look("hits in the sidebar")
    await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    await look("a phone", page.url)
    await page.get_by_role("button", name="Open the list of conversations").click()
    await look("the drawer of chats")

    assert not examined.found, "\n".join(examined.found)


async def test_the_other_pages_break_no_rule(
    new_context: NewContext, carols_session: dict[str, Any]
) -> None:
    examined = await examine(new_context, carols_session)
    page, look = examined.page, examined.look
    await page.goto("/")
    run = await ask_to_the_end(page, ANOTHER)
    await run.get_by_role("button", name="Regenerate").click()
    await expect(page.get_by_text("2/2")).to_be_visible()
    chat = page.url.partition("?")[0].partition("#")[0]

    await look("versions")
    await page.get_by_role("button", name="Edit").click()
    await expect(page.get_by_label("Your message, changed")).to_be_visible()
    await look("a question that is edited")
    for url in ("/search/?q=seals", "/archive/", "/account/", f"{chat}options/", "/nowhere/"):
        await look(url, url)
    for url in ("/accounts/2fa/", "/accounts/reauthenticate/"):
        await look(url, url)

    assert not examined.found, "\n".join(examined.found)


async def test_the_admin_breaks_no_rule(
    new_context: NewContext, carols_session: dict[str, Any]
) -> None:
    examined = await examine(new_context, carols_session)
    page, look = examined.page, examined.look
    await page.goto("/")
    await ask_to_the_end(page, ANOTHER)
    for url in ADMIN_PAGES:
        await look(f"/admin/{url}", f"/admin/{url}")
    await page.goto("/admin/chat/toolrun/")
    async with page.expect_navigation():
        await page.locator("#result_list tbody th a").first.click()
    await look("a tool run in the log")

    assert not examined.found, "\n".join(examined.found)


async def test_sign_in_breaks_no_rule(new_context: NewContext) -> None:
    examined = await examine(new_context, None)

    await examined.look("sign-in", "/accounts/login/")
    await examined.page.fill("[name=username]", "nobody")
    await examined.page.fill("[name=password]", "nothing")
    await examined.page.keyboard.press("Enter")
    await expect(examined.page.get_by_role("alert")).to_be_visible()
    await examined.look("sign-in, refused")
    for page in ("signup/", "password/reset/", "password/reset/done/", "password/reset/key/1-x/"):
        await examined.look(page, f"/accounts/{page}")
    await examined.look("the API", "/api/docs")

    assert not examined.found, "\n".join(examined.found)
