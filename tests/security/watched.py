"""A browser in which nothing that a page must not do goes unheard."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from playwright.async_api import BrowserContext, ConsoleMessage, Dialog, Error, Page

from tests.servers.site import Site

# At the same time: most of it is waiting for the server or for the browser in turn.
TABS = 3
POLICY = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
"""
# All that waits for somebody to open, point at or tab to it; then whatever could still act.
PROVOKE = """
() => {
  for (const box of document.querySelectorAll("details")) box.open = true;
  for (const each of document.querySelectorAll("[tabindex], a, button, input, textarea"))
    for (const kind of ["focus", "mouseover", "pointerover", "animationend"])
      each.dispatchEvent(new Event(kind, { bubbles: true }));
  const bad = [];
  for (const each of document.querySelectorAll("*")) {
    for (const { name, value } of each.attributes)
      if (name.startsWith("on") || /^(href|src|action|formaction|data)$/.test(name)
          && /^\\s*(javascript|vbscript|data:text|view-source|blob)/i.test(value))
        bad.push(`${each.tagName} ${name}=${value}`);
    if (/^(IFRAME|OBJECT|EMBED|BASE|SVG:SCRIPT|MARQUEE|MATH|VIDEO)$/.test(each.tagName))
      bad.push(each.outerHTML);
    if (each.tagName === "SCRIPT" && !each.src && !/json/.test(each.type)) bad.push(each.outerHTML);
  }
  return bad;
}
"""


# Not in the header of a page of the admin: who is signed in is called like that, too. Sites and
# models confirm, so that they are no reason to believe in a page of somebody's own.
SHOWS = r"""
() => {
  const content = document.querySelector("#content");
  if (content) return /(alert|confirm)\(/.test(content.outerHTML);
  return document.documentElement.outerHTML.includes("alert(");
}
"""


class Watched:
    """A browser's context and its tabs; `heard` is all that a page did which it must not do.

    `silent` are the pages that showed nothing hostile at all: they prove nothing.
    """

    def __init__(self, context: BrowserContext, tabs: list[Page], site: Site, kept: Path) -> None:
        self.context = context
        self.tabs = tabs
        self.heard: list[str] = []
        self.silent: list[str] = []
        self._url = site.url
        self._kept = kept
        context.on("dialog", self._hear_dialog)
        context.on("request", lambda request: self._hear_request(request.url))
        context.on("weberror", lambda error: self.hear(error.page, f"error: {error.error}"))
        context.on("console", self._hear_console)

    def hear(self, page: Page | None, what: str) -> None:
        self.heard.append(f"{page.url if page else ''}: {what[:300]}")

    async def _hear_dialog(self, dialog: Dialog) -> None:
        self.hear(dialog.page, f"dialog: {dialog.message}")
        await dialog.dismiss()

    def _hear_request(self, url: str) -> None:
        own = (self._url, "data:image/", f"blob:{self._url}", self._kept.as_uri())
        if not url.startswith(own):
            self.hear(None, f"request: {url}")

    def _hear_console(self, said: ConsoleMessage) -> None:
        # What was asked for and is not there, on purpose.
        is_wanted = "the server responded with a status of 40" in said.text
        if said.type in {"error", "warning"} and not is_wanted:
            self.hear(said.page, f"console: {said.text}")

    async def look_at(self, urls: Iterable[str]) -> None:
        """All of them, with all tabs."""
        waiting = iter(urls)

        async def look_on(page: Page) -> None:
            for url in waiting:
                await self.look(page, url)

        await asyncio.gather(*map(look_on, self.tabs))

    async def look(self, page: Page, url: str = "") -> None:
        """Open it, and do what a person might do there."""
        if url:
            await page.goto(self._url + url, wait_until="load")
        await self._provoke(page, url)
        assert page.url.startswith(self._url), page.url

    async def look_at_file(self, page: Page, url: str) -> None:
        """It is no page but a file; opened by who then finds it on their disk."""
        async with page.expect_download() as started:
            # That there was no page is an error for whoever wanted one.
            with suppress(Error):
                await page.goto(self._url + url)
        download = await started.value
        file = self._kept / download.suggested_filename
        await download.save_as(file)
        await page.goto(file.as_uri())
        await self._provoke(page, url)

    async def _provoke(self, page: Page, url: str) -> None:
        for bad in await page.evaluate(PROVOKE):
            self.hear(page, f"markup: {bad}")
        if not await page.evaluate(SHOWS):
            self.silent.append(url)
        assert len(self.context.pages) == TABS
