"""An answer arrives whole and stands still, whatever the network does."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, Route, expect

from tests.browser.conftest import NewContext
from tests.browser.steps import ask, ask_to_the_end, ended, has_text, stop_button, text_of
from tests.faults.proxy import HALF_OPEN, NONE, Proxy
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
# The server's rendering of a question and its answer.
TURNS = re.compile(r"(?<!/api)/runs/[^/]+/$")
# All text that came as an event, in the order in which the page took it.
HEAR = """
window.heard = "";
document.addEventListener("run-event", ({ detail: { kind, data } }) => {
  if (kind === "content") window.heard += data.content;
});
"""
# What waits for half a minute waits for a second.
HASTE = """
const { timeout } = AbortSignal;
AbortSignal.timeout = (ms) => timeout.call(AbortSignal, ms / 30);
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


@pytest.mark.parametrize("status", [0, 403, 503])
async def test_a_stop_that_was_not_heard_is_said_and_can_be_repeated(
    new_context: NewContext, status: int
) -> None:
    page = await (await new_context(may_complain_of="Failed to load")).new_page()
    await page.goto("/")
    run = await ask(page, "[[tokens 3000 delay 10]]")
    await has_text(run, "t9")
    await page.route("**/cancellations/", refuse(status))

    await stop_button(page).click()
    frozen = await text_of(run)
    told = page.get_by_role("alert").filter(has_text="The answer could not be stopped.")
    await expect(told).to_be_visible()

    # What came meanwhile is there, and it goes on.
    await expect(run).to_have_attribute("data-state", "running")
    await has_text(run, f"t{len(frozen.split()) + 100} ")
    await page.unroute("**/cancellations/")
    await stop_button(page).click()
    await expect(told).to_be_hidden()
    await ended(run, "cancelled")
    words = (await text_of(run)).split()
    assert words == [f"t{n}" for n in range(1, len(words) + 1)]


async def test_a_stop_is_repeated_while_the_server_is_away(new_context: NewContext) -> None:
    page = await (await new_context(may_complain_of="Failed to load")).new_page()
    await page.goto("/")
    run = await ask(page, "[[tokens 3000 delay 10]]")
    await has_text(run, "t9")
    await page.route("**/cancellations/", refuse(503), times=1)

    await stop_button(page).click()
    frozen = await text_of(run)
    await ended(run, "cancelled")

    assert await text_of(run) == frozen
    await expect(page.locator(".box .problem")).to_be_hidden()


async def test_a_network_that_says_nothing_is_noticed(new_context: NewContext, site: Site) -> None:
    with Proxy(site.port) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        page = await (await new_context(base_url=url, may_complain_of="ERR_")).new_page()
        await page.clock.install()
        await page.goto("/")
        run = await ask(page, "[[tokens 9 delay 1]][[stall]]")
        await has_text(run, "t9")
        lost = page.locator('[data-connection="lost"]')

        # As long as nothing is to be heard, nothing is wrong.
        async with page.expect_response("**/api/runs/*/"):
            await page.clock.fast_forward("00:21")
        await expect(lost).to_have_count(0)
        proxy.suffer(HALF_OPEN)
        async with page.expect_request("**/api/runs/*/"):
            await page.clock.fast_forward("00:21")
        await expect(lost).to_be_visible()

        proxy.suffer(NONE)
        await stop_button(page).click()
        await ended(run, "cancelled")


async def test_a_message_into_silence_comes_back(new_context: NewContext, site: Site) -> None:
    with Proxy(site.port) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        context = await new_context(base_url=url, may_complain_of="ERR_")
        await context.add_init_script(HASTE)
        page = await context.new_page()
        await page.goto("/")
        await ask_to_the_end(page, "[[text Hi.]]")

        proxy.suffer(HALF_OPEN)
        await ask(page, "[[text Two.]]")
        told = page.get_by_role("alert").filter(has_text="The server could not be reached.")
        await expect(told).to_be_visible()
        await expect(page.locator("textarea")).to_have_value("[[text Two.]]")

        proxy.suffer(NONE)
        await page.get_by_role("button", name="Send").click()
        await ended(page.locator("[data-run]").nth(1))
        await expect(page.locator("[data-message]")).to_have_count(4)


@pytest.mark.parametrize("status", [0, 503])
async def test_an_end_is_whole_though_it_was_not_had_at_once(
    new_context: NewContext, status: int
) -> None:
    page = await (await new_context(may_complain_of="Failed to load")).new_page()
    await page.goto("/")
    await page.route(TURNS, refuse(status), times=1)

    failed = await ask(page, "[[text So far]][[error The model is out of breath]]")

    await expect(failed.get_by_role("group", name="Error")).to_be_visible()
    await expect(failed.get_by_role("button", name="Try again")).to_be_visible()
    await expect(page.get_by_role("button", name="Edit")).to_be_visible()


async def test_an_end_that_comes_late_is_not_the_last_ones(new_context: NewContext) -> None:
    page = await (await new_context(may_complain_of="Failed to load")).new_page()
    await page.goto("/")
    await page.route(TURNS, refuse(503))
    failed = await ask(page, "[[text So far]][[error The model is out of breath]]")
    await expect(page.locator("[data-alert]")).to_have_text("The answer failed.")

    run = await ask(page, "[[stall]]")
    await expect(run).to_have_attribute("data-state", "running")
    await page.unroute(TURNS)

    await expect(failed.get_by_role("group", name="Error")).to_be_visible()
    await expect(failed.get_by_role("button", name="Try again")).to_have_count(0)
    await stop_button(page).click()
    await ended(run, "cancelled")


def refuse(status: int) -> Callable[[Route], Awaitable[None]]:
    """Answers requests with this status; 0: with none."""

    async def answer(route: Route) -> None:
        await (route.fulfill(status=status, json={"message": "No."}) if status else route.abort())

    return answer
