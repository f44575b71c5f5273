"""The page as a whole: sizes, colours, hostile text, no scripts, lost connections."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import NewContext
from tests.browser.steps import ask, ask_to_the_end, ended, has_text, write
from tests.servers.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

WIDE = "| " + " | ".join(["a wide column"] * 12) + " |\n" + "|---" * 12 + "|\n"
LONG = f"[[text {'x' * 300} `{'y' * 300}`\n\n```\n{'z' * 300}\n```\n\n{WIDE}]]"
HOSTILE = (
    '<script>window.hit = 1</script><img src=x onerror="window.hit = 1"> '
    "[a](javascript:window.hit=1) ![b](https://elsewhere.example/c.png) "
    '<svg onload="window.hit=1"> <a href="data:text/html,x" id="i" style="color:red">c</a>'
)


async def test_hostile_text_runs_nothing(page: Page) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    encoded = HOSTILE.replace('"', '\\"')
    call = f'[[call echo {{"text": "{encoded}"}}]][[then]]'

    run = await ask_to_the_end(page, f"{call}[[text {HOSTILE}]]")
    await run.locator("details.tool summary").click()
    for _ in range(2):
        content = page.locator('[data-role="assistant"] [data-content]').last
        await expect(content).to_contain_text("<script>window.hit = 1</script>")
        await expect(content.locator("script, img, svg, [id], [style], [onload]")).to_have_count(0)
        await expect(page.locator("[data-result]")).to_have_text(HOSTILE)
        hrefs = await content.locator("a").evaluate_all("(all) => all.map((a) => a.href)")
        assert hrefs == ["https://elsewhere.example/c.png"]
        assert await page.evaluate("window.hit") is None
        await page.reload()

    assert not [url for url in requests if "elsewhere" in url]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
async def test_the_browser_draws_what_the_server_draws(page: Page, line_end: str) -> None:
    text = (
        "# One\n\nfoo [link][l] and ~~gone~~\n\n- a\n- b\n\n  more\n\n1. x\n2. y\n\n> q\nlazy\n\n"
        "| a | b |\n|:-:|--:|\n| 1 | 2 |\n\n    indented\n\n```\nplain & <b>\n```\n\nHead\n---\n\n"
        "***\n![p](https://x.example/p.png)\n\n[l]: https://x.example/ 'T'\n\nlast `one`"
    ).replace("\n", line_end)
    await page.evaluate(
        """async (text) => {
          const { StreamingMarkdown } = await import("/static/js/streaming-markdown.js");
          window.piecewise = document.createElement("div");
          const stream = new StreamingMarkdown(window.piecewise);
          for (const letter of text) { stream.append(letter); stream.flush(); }
          stream.finish();
        }""",
        text,
    )
    whole = await page.evaluate(
        """async (text) => {
          const { markdown } = await import("/static/js/markdown.js");
          const element = document.createElement("div");
          element.innerHTML = markdown.render(text);
          return element.innerHTML;
        }""",
        text,
    )
    assert await page.evaluate("window.piecewise.innerHTML") == whole

    run = await ask_to_the_end(page, f"[[text {text}]]")
    stored = await run.locator("[data-content]").evaluate(
        """(element) => {
          const copy = element.cloneNode(true);
          for (const code of copy.querySelectorAll("copy-code")) code.replaceChildren();
          return copy.innerHTML;
        }"""
    )
    assert stored == whole


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
async def test_a_block_that_is_complete_is_drawn_once(page: Page, line_end: str) -> None:
    is_same = await page.evaluate(
        """async (text) => {
          const { StreamingMarkdown } = await import("/static/js/streaming-markdown.js");
          const element = document.createElement("div");
          const stream = new StreamingMarkdown(element, text);
          const [first] = element.children;
          stream.append("Three.");
          stream.finish();
          return first === element.children[0] && element.textContent.trim().endsWith("Three.");
        }""",
        f"One.{line_end}{line_end}Two.{line_end}{line_end}",
    )

    assert is_same


# A table that takes a while to draw: how long the page was free after each time.
SLOW_TABLE = """async () => {
  const { StreamingMarkdown } = await import("/static/js/streaming-markdown.js");
  const element = document.querySelector(".log");
  const rests = [];
  let drawn = 0;
  element.append = (...nodes) => {
    const began = performance.now();
    if (drawn) rests.push(began - drawn);
    while (performance.now() - began < 50);
    Element.prototype.append.apply(element, nodes);
    drawn = performance.now();
  };
  const stream = new StreamingMarkdown(element);
  stream.append("| n |\\n|---|\\n");
  for (let row = 0; row < 100; row += 1) {
    stream.append(`| ${row} |\\n`);
    await new Promise(requestAnimationFrame);
  }
  return rests;
}"""


async def test_what_takes_long_to_draw_leaves_time_for_other_things(page: Page) -> None:
    rests = await page.evaluate(SLOW_TABLE)

    # Now and then while it is written, and the rest of it without another word.
    assert rests
    assert min(rests) >= 4 * 50
    await expect(page.locator(".log tr")).to_have_count(101)


@pytest.mark.parametrize("text", ["[[text Plain.]]", "[[tokens 300 delay 10]]"])
async def test_everything_works_without_javascript(new_context: NewContext, text: str) -> None:
    page = await (await new_context(java_script_enabled=False)).new_page()
    await page.goto("/")

    await write(page, text)
    await page.get_by_role("button", name="Send").click()

    await page.wait_for_url("**/c/*/")
    await expect(page.locator('[data-role="user"] [data-content]')).to_have_text(text)
    await expect(page.locator('[data-state="completed"]')).to_be_visible(timeout=30_000)
    await expect(page.locator('[data-role="assistant"] [data-content]')).to_be_visible()


async def test_without_javascript_nothing_is_written_that_would_be_wiped(
    new_context: NewContext,
) -> None:
    page = await (await new_context(java_script_enabled=False)).new_page()
    await page.goto("/")
    box = page.get_by_role("textbox", name="Message")
    await box.fill('[[call slow {"seconds": 30, "steps": 3}]]')
    await page.get_by_role("button", name="Send").click()

    await expect(page.locator(".box noscript > span")).to_be_visible()
    await expect(box).to_be_hidden()
    await page.get_by_role("button", name="Stop").click()

    await expect(page.locator("[data-run]")).to_have_attribute("data-state", "cancelled")
    await expect(box).to_be_visible()


async def test_stop_works_without_javascript(new_context: NewContext) -> None:
    page = await (await new_context(java_script_enabled=False)).new_page()
    await page.goto("/")
    await write(page, '[[call slow {"seconds": 30, "steps": 3}]]')
    await page.get_by_role("button", name="Send").click()

    await page.get_by_role("button", name="Stop").click()

    await expect(page.locator("[data-run]")).to_have_attribute("data-state", "cancelled")
    await expect(page.get_by_role("button", name="Send")).to_be_visible()


async def test_an_empty_form_without_javascript_says_why(new_context: NewContext) -> None:
    context = await new_context(java_script_enabled=False, may_complain_of="status of 400")
    page = await context.new_page()
    await page.goto("/")

    await page.get_by_role("button", name="Send").click()

    await expect(page.locator(".problem")).to_have_text("Please write a message first.")


async def test_the_theme_changes_at_once_and_stays(page: Page) -> None:
    root = page.locator("html")
    await expect(root).not_to_have_attribute("data-theme", "dark")

    await page.get_by_role("button", name="Theme").click()
    await expect(root).to_have_attribute("data-theme", "dark")

    await page.reload()
    await expect(root).to_have_attribute("data-theme", "dark")


async def test_activity_lists_the_tool_runs_and_leads_to_them(page: Page) -> None:
    await ask_to_the_end(
        page, '[[call fail {"text": "no"}]][[call echo {"text": "a"}]][[then]][[text ok]]'
    )
    pane = page.locator("#activity")
    await expect(pane).to_be_hidden()

    await page.get_by_role("button", name="Activity").click()

    await expect(pane.locator("li")).to_have_count(2)
    await expect(pane.locator("[data-failed]")).to_have_text("1")
    await expect(pane.get_by_role("button", name="Close")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(pane).to_be_hidden()
    await page.keyboard.press("Enter")
    await pane.get_by_role("link", name="echo").click()
    await expect(pane).to_be_hidden()
    await expect(page.locator('[data-tool="echo"] summary')).to_be_focused()


async def test_activity_keeps_the_focus_while_tools_run(new_context: NewContext) -> None:
    page = await (await new_context(viewport={"width": 1600, "height": 900})).new_page()
    await page.goto("/")
    calls = '[[call echo {"text": "a"}]][[then]][[call slow {"seconds": 1, "steps": 5}]]'
    run = await ask(page, f"{calls}[[then]][[text ok]]")
    link = page.locator("#activity li a").first
    await link.focus()

    await expect(page.locator("#activity li")).to_have_count(2)
    await ended(run)

    await expect(link).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator('[data-tool="echo"] summary')).to_be_focused()


async def test_only_staff_is_led_to_the_log(
    new_context: NewContext, page: Page, carols_session: dict[str, Any]
) -> None:
    text = '[[call echo {"text": "a"}]][[then]][[text ok]]'
    run = await ask_to_the_end(page, text)
    await expect(run.locator(".log-link")).to_have_count(0)

    hers = await (await new_context(session=carols_session)).new_page()
    await hers.goto("/")
    run = await ask_to_the_end(hers, text)

    call = await run.locator("[data-tool-run]").get_attribute("data-tool-run")
    await expect(run.locator(".log-link")).to_have_attribute(
        "href", f"/admin/chat/toolrun/?q={call}"
    )


async def test_a_killed_server_is_noticed_and_found_again(
    new_context: NewContext, new_site: Callable[..., Site]
) -> None:
    site = new_site()
    context = await new_context(base_url=site.url, may_complain_of="ERR_")
    page = await context.new_page()
    await page.goto("/")
    run = await ask(page, "[[tokens 200 delay 20]]")
    await has_text(run, "t9")

    site.kill()
    bar = page.locator('[data-connection="lost"]')
    await expect(bar).to_contain_text("The answer goes on without you")
    site.start()
    await bar.get_by_role("button", name="Try now").click()

    # Its heartbeat has to run out first; then the answer is gone on with.
    await expect(run).to_have_attribute("data-state", "completed", timeout=60_000)
    await ended(run)
    await expect(bar).to_have_count(0)
    texts = run.locator("[data-content]")
    await expect(texts).to_have_count(1)
    assert (await texts.inner_text()).split() == [f"t{number}" for number in range(1, 201)]
