"""An answer arrives whole and stands still, whatever the network does."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.conftest import NewContext
from tests.browser.steps import ask, ask_to_the_end, ended, has_text
from tests.servers.site import Site
from tests.servers.unreliable import Unreliable

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVENTS, CUTS, REFUSALS, TOKENS = 19, 25, 3, 1300
STORY = (
    '[[reason Hm.]][[call echo {"text": "a"}]][[call echo {"text": "b"}]]'
    '[[call fail {"text": "c"}]]'
    "[[then]][[text # Of seals\n\nThey *swim*, and `dive`, and **sleep**.\n\n- one\n- two\n\n"
    "```python\nx = 1\ny = 2\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nAnd so on.]]"
)
# All text that came as an event, in the order in which the page took it.
HEAR = """
window.heard = "";
document.addEventListener("run-event", ({ detail: { kind, data } }) => {
  if (kind === "content") window.heard += data.content;
});
"""
SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const inside = entry.sources.filter(({ node }) => node?.parentElement?.closest(".log"));
    if (inside.length) shifts.push([entry.value, ...inside.map(({ node }) => node.textContent)]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""


@pytest_asyncio.fixture(loop_scope="session")
async def unreliable(site: Site) -> AsyncIterator[Unreliable]:
    async with Unreliable(site.url, cut_after=EVENTS, cuts=CUTS, refusals=REFUSALS) as proxy:
        yield proxy


async def test_nothing_is_lost_and_nothing_comes_twice(
    site: Site, unreliable: Unreliable, new_context: NewContext
) -> None:
    context = await new_context(base_url=unreliable.url, may_complain_of="ailed")
    await context.add_init_script(HEAR)
    page = await context.new_page()
    await page.goto("/")

    run = await ask(page, f"[[tokens {TOKENS} delay 10]]")
    await has_text(run, "t40 ")
    other = await second_tab(context, page.url.replace(unreliable.url, site.url))
    await expect(run).to_have_attribute("data-state", "completed", timeout=60_000)
    await ended(run)

    events = int(await run.get_attribute("data-last-event-id") or 0)
    # On a busy machine several tokens become one event; there are enough for all cuts even so.
    assert (unreliable.cut, events > CUTS * EVENTS) == (CUTS, True)
    assert unreliable.refusals == 0
    assert await page.evaluate("heard") == "".join(f"t{n} " for n in range(1, TOKENS + 1))
    await ended(other.locator("[data-run]"))
    streamed = await log_of(page)
    assert await log_of(other) == streamed
    await page.reload()
    assert await log_of(page) == streamed


async def second_tab(context: BrowserContext, url: str) -> Page:
    """In mid-answer, and loaded anew there."""
    page = await context.new_page()
    await page.goto(url)
    await has_text(page.locator("[data-run]"), "t5")
    await page.reload()
    return page


async def log_of(page: Page) -> str:
    """The messages, byte for byte, but for empty lines and a form's token, another each time."""
    await expect(page.locator("[data-run] copy-button button").first).to_be_attached()
    turns = page.locator(".log > article")
    html = "\n".join(await turns.evaluate_all("(all) => all.map((one) => one.outerHTML)"))
    html = re.sub(r">\n+<", "><", html)
    return re.sub(r'(name="csrfmiddlewaretoken" value=")[^"]*', r"\1", html)


async def test_nothing_moves_while_an_answer_arrives(new_context: NewContext) -> None:
    context = await new_context(viewport={"width": 1280, "height": 2400})
    await context.add_init_script(SHIFTS)
    page = await context.new_page()
    await page.goto("/")
    await ask_to_the_end(page, "[[text First.]]")

    await ask_to_the_end(page, STORY)

    # A word that takes another's place, as "Failed" does, may begin some pixels later.
    assert sum(value for value, *_ in await page.evaluate("shifts")) < 0.001
