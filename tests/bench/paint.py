"""How soon a page is seen, and what it loads: python -m tests.bench.paint

Each page in a browser that has never been here and in one that has; beside us, and far away: 150 ms
for each answer, 1.6 Mbit/s and a processor four times as slow. Medians of ROUNDS.
"""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.bench import servers
from tests.bench.servers import Running
from tests.chromium import executable
from tests.servers.site import ROOT

ROUNDS = 5
PASSWORD = "only for as long as this runs"
FAR = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1_600_000 / 8,
    "uploadThroughput": 750_000 / 8,
}
SLOWER = 4
MESSAGES = 1_000
FIGURES = """
async () => {
  const paint = "first-contentful-paint";
  while (!performance.getEntriesByName(paint).length) await new Promise(requestAnimationFrame);
  const [page] = performance.getEntriesByType("navigation");
  const files = performance.getEntriesByType("resource");
  return [
    performance.getEntriesByName(paint)[0].startTime,
    page.domContentLoadedEventEnd,
    files.filter((file) => file.transferSize > 0).length,
    [page, ...files].reduce((sum, file) => sum + file.transferSize, 0) / 1024,
  ];
}
"""
HEADINGS = ("first paint", "scripts ran", "files", "KiB")


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    name: str
    is_far: bool = False


PLACES = (Place(name="here"), Place(name="far away", is_far=True))


async def visit(context: BrowserContext, place: Place, url: str) -> list[float]:
    page = await context.new_page()
    if place.is_far:
        await _send_away(page)
    await page.goto(url)
    figures: list[float] = await page.evaluate(FIGURES)
    await page.close()
    return figures


async def _send_away(page: Page) -> None:
    session = await page.context.new_cdp_session(page)
    await session.send("Network.enable")
    await session.send("Network.emulateNetworkConditions", FAR)
    await session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})


async def measure(browser: Browser, server: Running, name: str, path: str) -> None:
    cookies = await _signed_in(browser, server) if path != "/accounts/login/" else []
    for place in PLACES:
        first, again = [], []
        for _ in range(ROUNDS):
            context = await browser.new_context(base_url=server.url)
            await context.add_cookies(cookies)  # type: ignore[arg-type]
            first.append(await visit(context, place, path))
            again.append(await visit(context, place, path))
            await context.close()
        _print(f"{name}, {place.name}, first visit", first)
        _print(f"{name}, {place.name}, again", again)


async def _signed_in(browser: Browser, server: Running) -> Sequence[object]:
    context = await browser.new_context(base_url=server.url)
    page = await context.new_page()
    await page.goto("/accounts/login/")
    await page.fill("[name=username]", "bench")
    await page.fill("[name=password]", PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{server.url}/")
    cookies = await context.cookies()
    await context.close()
    return cookies


def _print(name: str, rounds: list[list[float]]) -> None:
    middle = [median(column) for column in zip(*rounds, strict=True)]
    print(f"{name:<46}", *(f"{value:>12.0f}" for value in middle))


def grown(server: Running) -> str:
    """A conversation of MESSAGES."""
    command = [sys.executable, "-m", "tests.bench.history", str(MESSAGES), "1"]
    environment = dict(server.environment)
    return subprocess.check_output(command, cwd=ROOT, env=environment, text=True).strip()


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = {"LLM_BASE_URL": "http://127.0.0.1:9/v1", "ADMIN_PASSWORD": PASSWORD}
        with servers.ferryline("daphne", Path(folder), **settings) as server:
            chat = grown(server)
            print(f"{'ms':<46}", *(f"{heading:>12}" for heading in HEADINGS))
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(
                    executable_path=executable(), args=["--no-sandbox"]
                )
                await measure(browser, server, "sign-in", "/accounts/login/")
                await measure(browser, server, "a new chat", "/")
                await measure(browser, server, f"{MESSAGES:,} messages", f"/c/{chat}/")
                await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
