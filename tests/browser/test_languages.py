"""The pages in German, and mirrored for languages that run from right to left."""

import re
from collections.abc import Callable

import pytest
from playwright.async_api import Page, expect

from chat.models import MCPServer
from tests.browser.conftest import NewContext
from tests.browser.steps import ask, ask_to_the_end, ended
from tests.messages import DOMAINS, LOCALES, read
from tests.people import Person
from tests.servers.site import free_port

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHOWN = """() => {
  // The names of tool servers are their admin's.
  const theirs = "script, [data-content], [data-arguments], [data-result], #servers label";
  const ours = (node) => !node.closest(theirs);
  const texts = [document.title];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    if (ours(walker.currentNode.parentElement)) texts.push(walker.currentNode.data);
  }
  for (const name of ["aria-label", "title", "placeholder", "alt"]) {
    for (const element of document.querySelectorAll(`[${name}]`)) {
      if (ours(element)) texts.push(element.getAttribute(name));
    }
  }
  return texts.map((text) => text.trim().replace(/\\s+/g, " ")).filter(Boolean);
}"""
OUTSIDE = """() => [...document.querySelectorAll("body *")].filter((element) => {
  const box = element.getBoundingClientRect();
  const isSeen = box.width > 1 && box.height > 1 && element.checkVisibility();
  const mayScroll = element.closest("pre, .tbl, .only-heard, .skip, .side:not(.open), svg");
  const isNarrow = document.querySelector(".side") && innerWidth < 900;
  const isOut = box.left < -1 || box.right > innerWidth + 1;
  return isSeen && isOut && !(mayScroll && (isNarrow || !element.closest(".side")));
}).map((element) => element.outerHTML.slice(0, 120))"""
WIDTHS = (320, 375, 768, 1280, 1600)
SAID = (
    '[[reason Which one?]][[text Let me see.]][[call echo {"text": "grey seals"}]]'
    '[[call fail {"text": "no such port"}]][[then]][[text They *swim*.\n\n'
    "| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nprint('a line that is long', 1, 2, 3)\n```]]"
)


def english() -> list[re.Pattern[str]]:
    """Our own English, but for what German calls the same."""
    patterns = []
    for domain in DOMAINS:
        for message in read(LOCALES / "de" / "LC_MESSAGES" / f"{domain}.po"):
            ours = [message.id] if isinstance(message.id, str) else message.id
            theirs = [message.string] if isinstance(message.string, str) else message.string
            for text in set(ours) - set(theirs) - {""}:
                parts = re.split(r"%\(\w+\)s|\{\w+\}", text.replace("%%", "%"))
                if re.search(r"[a-z]{2}", "".join(parts)):
                    patterns.append(re.compile(".+".join(map(re.escape, parts))))
    return patterns


async def nothing_is_english(page: Page) -> None:
    texts = await page.evaluate(SHOWN)
    patterns = english()
    assert [text for text in texts if any(each.fullmatch(text) for each in patterns)] == []


@pytest.fixture
def broken_server(alice: Person, add_server: Callable[..., MCPServer]) -> str:
    """Nobody listens there."""
    return str(add_server(alice, f"http://127.0.0.1:{free_port()}/mcp").name)


async def test_everything_is_german_for_who_reads_german(
    new_context: NewContext, alice: Person, broken_server: str
) -> None:
    context = await new_context(None, locale="de-DE")
    page = await context.new_page()
    await page.goto("/")
    await expect(page.get_by_role("heading", name="Anmelden")).to_be_visible()
    await nothing_is_english(page)
    await page.get_by_label("Benutzername").fill(alice.username)
    await page.get_by_label("Passwort").fill(alice.password)
    await page.get_by_role("button", name="Anmelden", exact=True).click()

    await expect(page.get_by_role("log", name="Chat")).to_be_visible()
    await nothing_is_english(page)
    run = await ask(page, SAID)
    notice = f"Die Werkzeuge von {broken_server} waren nicht zu bekommen: "
    await expect(run.locator(".line").first).to_have_text(
        notice + "die Verbindung wurde abgelehnt."
    )
    await ended(run)
    await expect(run.locator(".word").last).to_have_text("Fehlgeschlagen")
    await run.locator("summary").first.click()
    await nothing_is_english(page)
    failed = await ask_to_the_end(page, "[[status 401]]", "failed")
    await expect(failed.get_by_role("group", name="Fehler")).to_contain_text("unseren Schlüssel")
    await nothing_is_english(page)
    await page.reload()
    await nothing_is_english(page)

    for path in ("/search/?q=seals", "/archive/", "/account/"):
        await page.goto(path)
        await nothing_is_english(page)
    await expect(page.get_by_text("Chrome unter Linux")).to_be_visible()
    await page.get_by_label("Sprache der Seiten").select_option("en")
    language = page.get_by_role("region", name="Sprache")
    await language.get_by_role("button", name="Speichern").click()
    await expect(page.get_by_role("heading", name="Appearance")).to_be_visible()
    await expect(page.locator("html")).to_have_attribute("lang", "en")


async def test_the_layout_mirrors_without_overflow(new_context: NewContext) -> None:
    context = await new_context()
    page = await context.new_page()
    await page.goto("/")
    run = await ask_to_the_end(page, SAID)
    for summary in await run.locator("summary:visible").all():
        await summary.click()
    address = page.url
    for path in ("/", address, "/account/"):
        if path != page.url:
            await page.goto(path)
        await page.evaluate("document.documentElement.dir = 'rtl'")
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 800})
            assert await page.evaluate(OUTSIDE) == [], (path, width)

    await page.goto(address)
    await page.evaluate("document.documentElement.dir = 'rtl'")
    code = page.locator(".code pre").first
    assert await code.evaluate("(code) => getComputedStyle(code).direction") == "ltr"
    side = await box(page, ".side")
    assert side["x"] + side["width"] == 1600
    assert (await box(page, ".said"))["x"] < (await box(page, ".prose"))["x"] + 100
    await page.get_by_role("banner").get_by_role("button", name="More").click()
    menu = await box(page, ".menu")
    assert 0 <= menu["x"] < 800
    await page.keyboard.press("Escape")
    await page.set_viewport_size({"width": 375, "height": 800})
    await page.get_by_role("button", name="Open the list of conversations").click()
    await expect(page.locator(".side.open")).to_be_visible()
    await page.wait_for_function(
        "Math.abs(document.querySelector('.side').getBoundingClientRect().right - 375) < 1"
    )


async def test_forced_colours_leave_the_shapes_of_states(new_context: NewContext) -> None:
    context = await new_context(forced_colors="active")
    page = await context.new_page()
    await page.goto("/")
    run = await ask_to_the_end(page, SAID)

    shapes = await run.evaluate(
        """(run) => {
          const node = run.querySelector("[data-node] > .node");
          return ["done", "failed", "waiting", "running", "stopped"].map((state) => {
            node.parentElement.dataset.node = state;
            const style = getComputedStyle(node);
            const after = getComputedStyle(node, "::after");
            const { borderRadius, borderStyle, rotate, animationName } = style;
            return [borderRadius, borderStyle, rotate, animationName, after.content, after.rotate]
              .join(" ");
          });
        }"""
    )
    assert len(set(shapes)) == len(shapes)
    edges = "(element) => getComputedStyle(element).borderTopWidth"
    assert await page.locator(".said").first.evaluate(edges) == "1px"
    colours = """(node) => [getComputedStyle(node).borderTopColor,
      getComputedStyle(document.body).color]"""
    node = run.locator("[data-node=failed] > .node").first
    assert len(set(await node.evaluate(colours))) == 1


async def test_a_chat_prints_as_a_document(new_context: NewContext) -> None:
    context = await new_context(viewport={"width": 794, "height": 600})
    page = await context.new_page()
    await page.goto("/")
    link = "[the port](https://port.example/ferries)"
    await ask_to_the_end(page, "[[text " + "A paragraph of some words.\n\n" * 60 + link + "]]")
    await page.locator("html").evaluate("(root) => root.dataset.theme = 'dark'")

    await page.emulate_media(media="print")

    for gone in (".side", "chat-composer", ".actions", "theme-switch"):
        await expect(page.locator(gone).first).to_be_hidden()
    await expect(page.locator(".top h1")).to_be_visible()
    colours = await page.locator(".prose").evaluate("(prose) => getComputedStyle(prose).color")
    assert colours == "rgb(0, 0, 0)"
    address = await page.get_by_role("link", name="the port").evaluate(
        "(link) => getComputedStyle(link, '::after').content"
    )
    assert "https://port.example/ferries" in address
    # All of it, and not only what the window showed.
    paper = await page.pdf(format="A4")
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) > 2


async def box(page: Page, selector: str) -> dict[str, float]:
    found = await page.locator(selector).first.bounding_box()
    assert found
    return dict(found)
