"""What people do on the page, in the words of its contract."""

from playwright.async_api import Locator, Page, expect

TOKENS = "[[tokens 400 delay 10]]"


async def write(page: Page, text: str) -> Locator:
    box = page.locator("textarea[name=message]")
    await box.fill(text)
    return box


async def ask(page: Page, text: str) -> Locator:
    """Write, press Send, and give back the run."""
    before = await page.locator("[data-run]").count()
    await write(page, text)
    await page.get_by_role("button", name="Send").click()
    return page.locator("[data-run]").nth(before)


async def ask_to_the_end(page: Page, text: str, state: str = "completed") -> Locator:
    run = await ask(page, text)
    await ended(run, state)
    return run


async def ended(run: Locator, state: str = "completed") -> None:
    """Over, and the server's rendering is in place."""
    await expect(run).to_have_attribute("data-state", state, timeout=30_000)
    await expect(run.locator(".facts local-time")).to_be_attached()


async def has_text(run: Locator, text: str) -> None:
    await expect(run.locator("[data-content]").last).to_contain_text(text, timeout=30_000)


def stop_button(page: Page) -> Locator:
    return page.get_by_role("button", name="Stop", exact=True)


def latest_button(page: Page) -> Locator:
    return page.get_by_role("button", name="Latest")


async def text_of(run: Locator) -> str:
    return "\n".join(await run.locator("[data-content]").all_inner_texts())


def side(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Conversations")


def titles(page: Page) -> Locator:
    return side(page).locator("li bdi:visible")


async def choose(page: Page, title: str, what: str) -> None:
    """From the menu of a row; "" is the menu at the top."""
    if title:
        row = side(page).get_by_role("listitem").filter(has_text=title)
        await row.hover()
        await row.get_by_role("button", name=f"More about {title}").click()
    else:
        await page.get_by_role("banner").get_by_role("button", name="More", exact=True).click()
    menu = page.get_by_role("group", name="What to do with this chat")
    await menu.get_by_text(what, exact=True).click()


async def sideways(page: Page) -> int:
    return int(await page.evaluate("document.scrollingElement.scrollWidth - innerWidth"))
