"""An answer played again: as it came or faster, and afterwards as if nothing had been."""

import time
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.db import connections
from django.db.models import F
from playwright.async_api import Locator, Page, expect

from chat.models import AgentRun
from tests.browser.conftest import NewContext
from tests.browser.steps import ask_to_the_end, ended, has_text

pytestmark = pytest.mark.asyncio(loop_scope="session")

STORY = '[[reason Hm.]][[call echo {"text": "seals"}]][[then]][[tokens 40 delay 50]]'
# How long it goes on from now, in the browser's own time.
TIMED = """async (stream) => {
  const began = performance.now();
  await new Promise((resolve) => {
    const look = () => { if (!stream.querySelector(".player")) resolve(); };
    new MutationObserver(look).observe(stream, { childList: true });
  });
  return performance.now() - began;
}"""


async def start(page: Page, run: Locator) -> Locator:
    """By keyboard; the controls."""
    details = run.locator("details.about")
    if await details.get_attribute("open") is None:
        await details.locator("summary").press("Enter")
    await run.get_by_role("button", name="Replay").press("Enter")
    player = run.get_by_role("group", name="Replay")
    await expect(player.get_by_role("button", name="Stop replay")).to_be_focused()
    return player


async def test_an_answer_is_played_again_and_is_what_it_was(page: Page) -> None:
    run = await ask_to_the_end(page, STORY)
    await run.locator("details.tool summary").click()
    replay = run.get_by_role("button", name="Replay")
    await run.locator("details.about summary").click()
    whole = await run.inner_html()
    text = run.locator("[data-content]")

    # As it came: 40 words, 50 ms apart.
    begun = time.monotonic()
    player = await start(page, run)
    await expect(text).to_contain_text("t3")
    await expect(run.locator(".actions")).to_be_hidden()
    await run.evaluate(TIMED)
    assert 1.9 < time.monotonic() - begun < 10
    await expect(player).to_be_hidden()
    await expect(replay).to_be_focused()
    assert await run.inner_html() == whole

    # Faster; held, and it stands still; stopped by Escape.
    player = await start(page, run)
    await player.get_by_role("button", name="Four times as fast").click()
    fast = await run.evaluate(TIMED)
    assert fast < 1000
    player = await start(page, run)
    await expect(text).to_contain_text("t3")
    await player.get_by_role("button", name="Pause").click()
    # What has come is drawn with the next frame; then nothing moves.
    await page.evaluate(AFTER_SOME_FRAMES)
    held = await text.inner_text()
    await page.evaluate(AFTER_SOME_FRAMES)
    assert await text.inner_text() == held
    await expect(run.locator("details[data-tool-run]")).to_have_attribute("data-state", "ok")
    await player.get_by_role("button", name="Go on").press("Escape")
    await expect(replay).to_be_focused()
    assert await run.inner_html() == whole


async def test_a_double_press_plays_it_once(page: Page) -> None:
    run = await ask_to_the_end(page, STORY)
    await run.locator("details.about summary").click()
    whole = await run.inner_html()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    await run.get_by_role("button", name="Replay").dblclick()
    await run.get_by_role("button", name="Stop replay").click()

    assert len(asked) == 1
    assert await run.inner_html() == whole


AFTER_SOME_FRAMES = """() => new Promise((resolve) => {
  let frames = 0;
  const look = () => (++frames > 20 ? resolve(true) : requestAnimationFrame(look));
  look();
})"""


async def test_staff_plays_it_too_until_it_is_deleted(
    new_context: NewContext, carols_session: dict[str, Any]
) -> None:
    page = await (await new_context(may_complain_of="status of 410")).new_page()
    await page.goto("/")
    run = await ask_to_the_end(page, STORY)
    run_id = await run.get_attribute("data-run")
    hers = await (await new_context(carols_session, reduced_motion="reduce")).new_page()
    await hers.goto(f"/admin/chat/agentrun/{run_id}/change/")
    await hers.get_by_role("link", name="Play it again").click()
    shown = hers.locator("[data-run]")
    await expect(shown.locator("[data-content]")).to_contain_text("t40")
    # Read only: there is nothing to press but this and what copies.
    await expect(hers.locator("form:visible, textarea:visible")).to_have_count(0)
    await expect(hers.get_by_role("button", name="Replay")).to_be_visible()
    whole = await shown.inner_html()

    await hers.get_by_role("button", name="Replay").click()
    # Without motion it goes on in steps: words come many at a time.
    await expect(shown.locator("[data-content]")).to_contain_text("t10")
    await hers.get_by_role("button", name="Four times as fast").click()
    await expect(hers.get_by_role("group", name="Replay")).to_be_hidden()
    assert await shown.inner_html() == whole

    await sync_to_async(forget)(run_id)
    await page.reload()
    await ended(run)
    await run.locator("details.about summary").click()
    await run.get_by_role("button", name="Replay").click()
    gone = "What happened, and when, is no longer stored for this answer."
    await expect(run.locator("run-replay .problem")).to_have_text(gone)
    await expect(page.get_by_role("alert").filter(has_text=gone)).to_be_attached()
    await has_text(run, "t40")


def forget(run_id: str) -> None:
    """The run ended long ago, and its events are deleted."""
    ago = timedelta(days=90)
    AgentRun.objects.filter(pk=run_id).update(finished_at=F("finished_at") - ago)
    call_command("prune_events", "--older-than", "60d")
    connections.close_all()
