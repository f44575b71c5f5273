"""What somebody does with hostile text: asks for it, watches it come, plays it again."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from playwright.async_api import Page, expect

from chat.models import ToolRun
from tests.browser.steps import ask, ended
from tests.security.watched import Watched

CALLS = 5
# How many calls are drawn once it is held, by a frame at a time: however long it takes to draw one,
# the player goes on by no more than from one frame to the next.
HELD = """(stream, [calls, frames]) => new Promise((resolve) => {
  const step = () => {
    const drawn = stream.querySelectorAll(".player ~ .rail details[data-tool-run]").length;
    const pause = stream.querySelector('.player [data-do="pause"]');
    const isHeld = pause?.textContent === "Go on";
    if (!frames-- || (drawn >= calls && isHeld)) return resolve(drawn);
    pause?.click();
    requestAnimationFrame(step);
  };
  stream.querySelector("run-replay button").click();
  step();
})"""
MOST_FRAMES = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class Live:
    """An answer that has just come: its chat's address, and its own id."""

    chat: str
    run_id: str

    @property
    def replay(self) -> str:
        return f"/admin/chat/agentrun/{self.run_id}/replay/"

    def admin_pages(self) -> list[str]:
        """Where staff reads it, and each of its calls."""
        rows = ToolRun.objects.filter(run=self.run_id)
        assert len(rows) == CALLS
        pages = [f"toolrun/{row.pk}/change/" for row in rows]
        pages += [f"agentrun/{self.run_id}/change/", f"conversation/{self.chat[3:]}change/"]
        return [f"/admin/chat/{page}" for page in pages]


async def answer_live(watched: Watched, page: Page, question: str) -> Live:
    """As it streams, while a call waits to be allowed, and as the server draws it at the end."""
    await watched.look(page, "/")
    run = await ask(page, question)
    card = page.locator("[data-approval]")
    await expect(card).to_be_visible(timeout=30_000)
    await watched.look(page)
    await card.get_by_role("button", name="Deny").click()
    await ended(run, "failed")
    await watched.look(page)
    await page.reload()
    await expect(run).to_have_attribute("data-state", "failed")
    await watched.look(page)
    run_id = await run.get_attribute("data-run")
    return Live(chat=urlsplit(page.url).path, run_id=str(run_id))


async def played_again(watched: Watched, page: Page) -> None:
    """As far as it waited for a person: what a reader sees, in the middle of it."""
    stream = page.locator("run-stream[data-run]")
    assert await stream.evaluate(HELD, [CALLS, MOST_FRAMES]) == CALLS
    await watched.look(page)
    await expect(stream.get_by_role("group", name="Replay")).to_be_visible()
    await stream.get_by_role("button", name="Stop replay").press("Enter")
    await expect(stream.get_by_role("group", name="Replay")).to_be_hidden()


async def shows_its_vectors(page: Page, vectors: list[str]) -> None:
    """Each as it was written: what is left out would prove nothing."""
    questions = await page.locator('[data-role="user"] [data-content]').all_text_contents()
    shown = [" ".join(question.split()) for question in questions]
    assert shown == [" ".join(vector.split()) for vector in vectors]
