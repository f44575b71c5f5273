"""A conversation of a thousand messages: soon there, and quick to write in."""

from datetime import timedelta
from statistics import quantiles

import pytest
from django.db import transaction
from playwright.async_api import Page, expect

from tests.bench.history import TEXT, grown
from tests.browser.steps import ask_to_the_end
from tests.people import Person

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.alone]

FIRST_PAINT_MS = 1_000
TYPING_MS = 16
TRIES = 3
PAINT = """
async () => {
  const seen = () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime;
  while (!seen()) await new Promise(requestAnimationFrame);
  return seen();
}
"""
# What a key costs the page: from its event until all is laid out anew.
LISTEN = """
() => {
  window.costs = [];
  let began = 0;
  addEventListener("keydown", () => { began = performance.now(); }, { capture: true });
  addEventListener("input", () => queueMicrotask(() => {
    document.querySelector("[role=log]").getBoundingClientRect();
    costs.push(performance.now() - began);
  }));
}
"""


@pytest.fixture
def long_chat(alice: Person) -> str:
    """Not of this minute, in which she may ask again. Asks the database: not for coroutines."""
    with transaction.atomic():
        chat = grown(alice.user, 1_000)
        chat.runs.update(created_at=chat.created_at - timedelta(hours=1))
    return chat.get_absolute_url()


async def test_a_thousand_messages_are_no_burden(long_chat: str, page: Page) -> None:
    paints = []
    for _ in range(TRIES):
        await page.goto(long_chat)
        paints.append(await page.evaluate(PAINT))
    # Other work on this machine makes some of them slower, none quicker.
    assert min(paints) < FIRST_PAINT_MS
    await expect(page.locator("[data-run]")).to_have_count(50)

    await page.evaluate(LISTEN)
    await page.get_by_role("textbox", name="Message").press_sequentially("a seal " * 15)
    costs = await page.evaluate("costs")
    assert len(costs) == 105
    assert quantiles(costs, n=20)[-1] < TYPING_MS

    # The question is further up now, where somebody reads it: not one pixel away.
    top = page.locator("[data-run]").first
    await page.get_by_role("link", name="Earlier messages").click()
    await expect(page.locator("[data-run]")).to_have_count(100)
    await expect(top.locator("[data-content]")).to_have_text(TEXT.strip())
    run = await ask_to_the_end(page, "[[text And on it goes.]]")
    await expect(run).to_be_in_viewport()
