"""It fits: nothing sticks out sideways, fingers can hit it, and what is wide scrolls by itself."""

import pytest
from playwright.async_api import Page

from tests.browser.conftest import NewContext
from tests.browser.steps import ask_to_the_end, sideways

pytestmark = pytest.mark.asyncio(loop_scope="session")

WIDTHS = (320, 375, 768, 1280, 1600)
WIDE = "| " + " | ".join(["a wide column"] * 12) + " |\n" + "|---" * 12 + "|\n"
LONG = f"[[text {'x' * 300} `{'y' * 300}`\n\n```\n{'z' * 300}\n```\n\n{WIDE}]]"
CALL = f'[[call echo {{"text": "{"w" * 400}"}}]][[call fail {{"text": "no"}}]][[then]]'
SMALL = """
() => [...document.querySelectorAll("a, button, summary, select, input, textarea")]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }))
  // A link in a sentence is as high as its line; a box of a list is hit by its label.
  .filter((one) => !one.closest("p, small, .foot, .prose, .sr-only, .skip"))
  .map((one) => one.closest("label") ?? one)
  .map((one) => [one.getBoundingClientRect(), one])
  .filter(([box]) => box.width && (Math.round(box.height) < 44 || Math.round(box.width) < 44))
  .map(([box, one]) => `${one.outerHTML.slice(0, 120)}: ${box.width} x ${box.height}`)
"""
# Of boxes that scroll sideways: those that the keyboard cannot reach, or that are not named.
UNREACHABLE = """
() => [...document.querySelectorAll(".prose pre, .prose .tbl")]
  .filter((box) => box.scrollWidth > box.clientWidth)
  .map((box) => box.tabIndex === 0 && box.role === "group" && Boolean(box.ariaLabel))
"""


async def pages_of(page: Page) -> list[str]:
    """All that people see, the chat with the widest things that there are."""
    run = await ask_to_the_end(page, CALL + LONG)
    for card in await run.locator("details.tool > summary").all():
        await card.click()
    chat = page.url
    return [
        *(f"{chat}options/", "/", "/search/?q=xxx", f"/search/?q={'x' * 200}"),
        *("/archive/", "/account/", "/nowhere/"),
    ]


async def stick_out(page: Page) -> list[tuple[str, int]]:
    found = []
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 800})
        if over := await sideways(page):
            found.append((page.url, over * 10_000 + width))
    return found


async def test_nothing_sticks_out_sideways(new_context: NewContext) -> None:
    context = await new_context(may_complain_of="status of 404")
    page = await context.new_page()
    await page.goto("/")
    urls = await pages_of(page)

    found = await stick_out(page)
    assert await page.evaluate(UNREACHABLE) == [True, True]
    for url in urls:
        await page.goto(url)
        found += await stick_out(page)

    await context.clear_cookies()
    await page.goto("/accounts/login/")
    assert found + await stick_out(page) == []


async def test_the_menu_stays_inside_of_the_window(three: list[str], page: Page) -> None:
    await page.goto(three[0])
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 700})
        await page.get_by_role("banner").get_by_role("button", name="More", exact=True).click()
        box = await page.get_by_role("group", name="What to do with this chat").bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert await sideways(page) == 0
        await page.keyboard.press("Escape")


async def test_fingers_hit_what_they_aim_at(three: list[str], new_context: NewContext) -> None:
    phone = {"width": 375, "height": 812}
    context = await new_context(
        viewport=phone, has_touch=True, is_mobile=True, may_complain_of="status of 404"
    )
    page = await context.new_page()
    await page.goto("/")
    small = {"/": await page.evaluate(SMALL)}
    await page.get_by_role("button", name="Open the list of conversations").click()
    small["drawer"] = await page.evaluate(SMALL)
    await page.keyboard.press("Escape")
    for url in await pages_of(page):
        small |= {page.url: await page.evaluate(SMALL)}
        await page.goto(url)

    found = [f"{where}: {one}" for where, ones in small.items() for one in ones]
    assert not found, "\n".join(found)
