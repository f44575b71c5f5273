"""Images, sounds and files of tools on their cards: while they come, and after a reload."""

import json
import re
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import NewContext
from tests.browser.steps import ask_to_the_end
from tests.servers.media import png

pytestmark = pytest.mark.asyncio(loop_scope="session")

RICH = '[[call picture {"width": 600, "height": 400}]][[call sound]][[call big {"size": 2000000}]]'
IS_LOADED = "(image) => image.complete && image.naturalWidth === 600"


async def open_cards(run: Locator) -> Locator:
    """Past the fold of several successes, each card of its own."""
    if await run.locator(".group").count():
        await run.locator(".group > summary").click()
    cards = run.locator("details[data-tool-run]")
    for card in await cards.all():
        await card.locator("> summary").click()
    return cards


async def test_a_card_shows_images_sounds_and_downloads(page: Page, tmp_path: Path) -> None:
    await ask_to_the_end(page, f"{RICH}[[then]][[text Look.]]")

    for _ in range(2):
        cards = await open_cards(page.locator("[data-run]"))
        image = cards.nth(0).get_by_role("img", name="Draw: image-1.png")
        await expect(image).to_be_visible()
        await page.wait_for_function(IS_LOADED, arg=await image.element_handle())
        assert await image.evaluate("(image) => image.clientHeight") <= 322
        sound = cards.nth(1).locator("audio[controls][preload=none]")
        await expect(sound).to_have_attribute("aria-label", "sound: audio-1.wav")
        await page.wait_for_function(
            "(it) => it.clientWidth > 100", arg=await sound.element_handle()
        )
        link = cards.nth(2).get_by_role("link", name="Download the whole result · 1.9 MB")
        async with page.expect_download() as coming:
            await link.click()
        download = await coming.value
        assert download.suggested_filename == "result.txt"
        await download.save_as(tmp_path / "saved")
        assert (tmp_path / "saved").read_bytes() == b"x" * 2_000_000
        await expect(cards.nth(2).locator(".size")).to_have_text("1.9 MB")
        await page.reload()


async def test_what_streamed_is_what_the_server_draws(page: Page) -> None:
    """Two calls: three would be folded together at the end."""
    calls = '[[call picture {"width": 600, "height": 400}]][[call big {"size": 2000000}]]'
    streaming = f"{calls}[[then]][[tokens 400 delay 10]]"
    await page.locator("textarea[name=message]").fill(streaming)
    await page.get_by_role("button", name="Send").click()
    drawn = page.locator(".attachments")
    await expect(drawn.nth(1).locator("a")).to_be_attached()
    await expect(page.locator("[data-run]")).to_have_attribute("data-state", "running")
    live = await drawn.evaluate_all("(all) => all.map((one) => one.outerHTML)")

    await page.get_by_role("button", name="Stop", exact=True).click()
    await expect(page.locator("[data-run]")).to_have_attribute("data-state", "cancelled")
    await page.reload()

    assert await drawn.evaluate_all("(all) => all.map((one) => one.outerHTML)") == live
    assert len(live) == 2


async def test_a_click_opens_the_image_by_itself(new_context: NewContext) -> None:
    # The browser's own page around an image has a style; the sandbox that we send allows none.
    context = await new_context(may_complain_of="Applying inline style")
    page = await context.new_page()
    await page.goto("/")
    run = await ask_to_the_end(
        page, '[[call picture {"width": 600, "height": 400}]][[then]][[text Look.]]'
    )
    cards = await open_cards(run)

    async with context.expect_page() as coming:
        await cards.nth(0).locator(".attachments a").click()

    opened = await coming.value
    await expect(opened.locator("img")).to_be_visible()
    await opened.wait_for_function("document.images[0].naturalWidth === 600")
    assert re.search(r"/attachments/[0-9a-f-]{36}/$", opened.url)
    response = await page.request.get(opened.url)
    assert await response.body() == png(600, 400)


@pytest.mark.parametrize("width", [320, 375])
async def test_a_wide_image_and_a_long_name_fit_a_phone(
    new_context: NewContext, width: int
) -> None:
    page = await (await new_context(viewport={"width": width, "height": 800})).new_page()
    await page.goto("/")
    blob = f'{{"uri": "file:///{"w" * 90}.bin", "blob": "AAAA"}}'
    content = f'[{{"type": "resource", "resource": {blob}}}]'
    asked = f'[[call picture {{"width": 900}}]][[call give {{"result": {{"content": {content}}}}}]]'

    cards = await open_cards(await ask_to_the_end(page, f"{asked}[[then]][[text Look.]]"))

    await expect(cards.nth(0).get_by_role("img")).to_be_visible()
    await expect(cards.nth(1).locator(".attachments .button")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") == width


async def test_hostile_files_run_nothing(page: Page) -> None:
    script = "PHN2ZyBvbmxvYWQ9IndpbmRvdy5oaXQ9MSI+"
    name = "%22%3E%3Cimg src=x onerror=window.hit=1%3E.html"
    parts = [
        {"type": "image", "mimeType": "image/svg+xml", "data": script},
        {"type": "image", "mimeType": "image/png", "data": script},
        {"type": "resource", "resource": {"uri": f"file:///{name}", "blob": script}},
    ]

    asked = f"[[call give {json.dumps({'result': {'content': parts}})}]][[then]][[text Hm.]]"
    await ask_to_the_end(page, asked)

    for _ in range(2):
        (card,) = await (await open_cards(page.locator("[data-run]"))).all()
        await expect(card.locator(".attachments li")).to_have_count(1)
        await expect(card.locator(".attachments a")).to_contain_text('"><img src=x onerror=')
        await expect(card.locator("img")).to_have_count(0)
        assert await page.evaluate("window.hit") is None
        await page.reload()
