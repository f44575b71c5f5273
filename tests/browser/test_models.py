"""Choosing a model, what answers used, what is remembered, answers that broke off."""

from collections.abc import Callable, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.conftest import NewContext
from tests.browser.steps import ask, ask_to_the_end, ended, has_text
from tests.servers.mcp_server import ScriptedMCPServer
from tests.servers.model_server import ScriptedModelServer
from tests.servers.raw_server import RawServer, delta, stream
from tests.servers.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

LONG = "anthropic/claude-sonnet-4.5-with-a-name-that-does-not-fit-anywhere"
USAGE = {
    "prompt_tokens": 1204,
    "completion_tokens": 356,
    "prompt_tokens_details": {"cached_tokens": 1000},
    "completion_tokens_details": {"reasoning_tokens": 300},
    "cost": 0.0042,
}
PAID = stream(delta(content="Good."), delta("stop"), {"choices": [], "usage": USAGE})
# A few of these are more than LLM_CONTEXT_TOKENS below.
WORDS = "word " * 300


@pytest.fixture(scope="module")
def choice(
    site: Site, model_server: ScriptedModelServer, mcp_server: ScriptedMCPServer
) -> Iterator[Site]:
    """A site that offers two models and remembers little."""
    with Site(
        LLM_BASE_URL=model_server.base_url,
        MCP_SERVER_URL=mcp_server.url,
        LLM_MODELS=f"scripted,{LONG}",
        LLM_CONTEXT_TOKENS="4000",
    ) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def chooser(new_context: NewContext, choice: Site) -> Page:
    """Alice's page on that site."""
    viewport = {"width": 1280, "height": 800}
    page = await (await new_context(base_url=choice.url, viewport=viewport)).new_page()
    await page.goto("/")
    return page


async def test_the_chosen_model_answers_and_stays_chosen(
    chooser: Page, model_server: ScriptedModelServer
) -> None:
    picker = chooser.get_by_label("Model", exact=True)
    await expect(picker).to_have_value("scripted")

    await picker.select_option(LONG)
    await ask_to_the_end(chooser, "[[text One.]]")
    await expect(chooser.locator(".top .chip")).to_have_text(LONG)
    await chooser.reload()
    await expect(picker).to_have_value(LONG)
    await ask_to_the_end(chooser, "[[text Two.]]")

    assert [body["model"] for _, body in model_server.requests[-2:]] == [LONG, LONG]


@pytest.mark.parametrize("width", [320, 375, 1280])
async def test_a_long_name_has_room_nowhere_and_breaks_nothing(chooser: Page, width: int) -> None:
    await chooser.set_viewport_size({"width": width, "height": 740})
    await chooser.get_by_label("Model", exact=True).select_option(LONG)

    row = await chooser.locator(".box .row").bounding_box()
    send = await chooser.get_by_role("button", name="Send").bounding_box()
    picker = await chooser.get_by_label("Model", exact=True).bounding_box()

    assert row
    assert send
    assert picker
    assert await chooser.evaluate("document.documentElement.scrollWidth") == width
    assert picker["x"] + picker["width"] <= send["x"]
    assert row["height"] < 2 * send["height"]
    assert picker["height"] >= 32


async def test_facts_and_sum_appear_without_a_reload(
    new_context: NewContext, new_site: Callable[..., Site]
) -> None:
    with RawServer([PAID]) as server:
        site = new_site(LLM_BASE_URL=server.base_url)
        page = await (await new_context(base_url=site.url)).new_page()
        await page.goto("/")
        first = await ask_to_the_end(page, "one")
        await expect(first.locator(".facts")).to_contain_text(
            "1,204 in (1,000 cached) · 356 out (300 thinking) · $0.0042"
        )
        await expect(page.locator(".spent")).to_have_count(0)
        second = await ask_to_the_end(page, "two")

    await expect(second.locator(".spent")).to_have_text("This chat: 3,120 tokens · $0.0084")
    live = await second.locator(".actions").inner_text()
    await page.reload()
    assert await page.locator("[data-run]").nth(1).locator(".actions").inner_text() == live


async def test_the_line_of_memory_moves_without_a_reload(chooser: Page) -> None:
    line = chooser.locator(".memory")
    for number in range(5):
        await ask_to_the_end(chooser, f"q{number} {WORDS}[[text Fine.]]")
    await expect(line).to_have_count(1)
    await expect(chooser.locator(".log")).not_to_contain_text("not fit any more")
    before = await turns_above(chooser)

    await ask_to_the_end(chooser, f"q5 {WORDS}[[text Fine.]]")
    after = await turns_above(chooser)
    await chooser.reload()

    assert (after, await turns_above(chooser)) == (before + 1, before + 1)
    await expect(line).to_have_text("The model remembers from here on.")


async def test_an_answer_that_breaks_off_is_kept_and_can_be_asked_again(page: Page) -> None:
    run = await ask(page, "[[text Half of the]][[cut]]")
    await ended(run, "failed")

    for _ in range(2):  # As it streamed, and as it is stored.
        await has_text(page.locator("[data-run]"), "Half of the")
        oops = page.get_by_role("group", name="Error")
        await expect(oops).to_contain_text("broke off")
        await expect(oops).to_contain_text("What arrived is kept above.")
        await page.reload()

    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_text("2/2")).to_be_visible()
    await ended(page.locator("[data-run]"), "failed")
    await expect(page.get_by_role("button", name="Try again")).to_have_count(1)


TURNS_ABOVE = """(line) => {
  const asked = [...line.parentElement.querySelectorAll(':scope > [data-role="user"]')];
  return asked.filter((turn) => turn.compareDocumentPosition(line) & 4).length;
}"""


async def turns_above(page: Page) -> int:
    """How many questions stand above the line."""
    return int(await page.locator(".memory").evaluate(TURNS_ABOVE))
