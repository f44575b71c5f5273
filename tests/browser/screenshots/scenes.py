"""What is on the pictures: each scene leads a page to a state that people see."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from playwright.async_api import Locator, Page, expect

from chat.models import ToolRule
from tests.browser.screenshots import questions
from tests.browser.steps import ask, ask_to_the_end, has_text
from tests.faults.proxy import RESET, Proxy

PHONE = {"width": 375, "height": 812}
SIZES = {
    375: PHONE,
    768: {"width": 768, "height": 1024},
    1280: {"width": 1280, "height": 800},
    1600: {"width": 1600, "height": 1000},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """`page` is Mira's, who is staff; `proxy` stands before the site, for a page that loses it."""

    page: Page
    proxy: Proxy
    port: int
    language: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """`widths`, `languages`: where it is worth a picture. `is_signed_in`: or nobody is."""

    name: str
    play: Callable[[Stage], Awaitable[object]]
    widths: tuple[int, ...]
    is_signed_in: bool
    languages: tuple[str, ...]


SCENES: list[Scene] = []


def scene(
    *widths: int, is_signed_in: bool = True, languages: tuple[str, ...] = ("en",)
) -> Callable[[Callable[[Stage], Awaitable[object]]], Callable[[Stage], Awaitable[object]]]:
    """Without widths: on all of them."""

    def add(play: Callable[[Stage], Awaitable[object]]) -> Callable[[Stage], Awaitable[object]]:
        name = play.__name__.replace("_", "-")
        shown = widths or tuple(SIZES)
        SCENES.append(
            Scene(
                name=name,
                play=play,
                widths=shown,
                is_signed_in=is_signed_in,
                languages=languages,
            )
        )
        return play

    return add


async def start(stage: Stage, question: str) -> Locator:
    await stage.page.goto("/")
    return await ask(stage.page, question)


async def told(stage: Stage, question: str, state: str = "completed") -> Locator:
    """A chat with that answer, as one finds it."""
    await stage.page.goto("/")
    await ask_to_the_end(stage.page, question, state)
    await stage.page.reload()
    return stage.page.locator("[data-run]").last


async def to_the_top(page: Page) -> None:
    await page.get_by_role("log").evaluate("(log) => log.scrollTo(0, 0)")
    await expect(page.get_by_role("button", name="Latest")).to_be_visible()


@scene(is_signed_in=False)
async def sign_in(stage: Stage) -> None:
    await stage.page.goto("/accounts/login/")


@scene(375, 1280, is_signed_in=False)
async def sign_in_refused(stage: Stage) -> None:
    await stage.page.goto("/accounts/login/")
    await stage.page.fill("[name=username]", "mira")
    await stage.page.fill("[name=password]", "no idea")
    await stage.page.keyboard.press("Enter")
    await expect(stage.page.get_by_role("alert")).to_be_visible()


@scene()
async def empty(stage: Stage) -> None:
    await stage.page.goto("/")


@scene()
async def chat(stage: Stage) -> None:
    run = await told(stage, questions.EVENTS)
    await run.locator("details.tool").nth(2).locator("summary").click()
    await to_the_top(stage.page)
    await stage.page.mouse.move(0, 0)


@scene()
async def chat_end(stage: Stage) -> None:
    await told(stage, questions.EVENTS)


@scene(375, 1280)
async def activity(stage: Stage) -> None:
    await told(stage, questions.EVENTS)
    await stage.page.get_by_role("button", name="Activity").click()


@scene(375, 1280)
async def folded(stage: Stage) -> None:
    run = await told(stage, questions.TIMES)
    await run.locator(".group > summary").click()


@scene(375, 1280)
async def working(stage: Stage) -> None:
    run = await start(stage, questions.SLOW)
    await expect(run.locator(".peek")).to_contain_text("%")


@scene(375, 1280)
async def thinking(stage: Stage) -> None:
    run = await start(stage, questions.HARD)
    await expect(run.locator(".how-long")).to_contain_text("Thinking for 2 s")


@scene(375, 1280)
async def failed(stage: Stage) -> None:
    await told(stage, questions.BROKEN, "failed")


@scene()
async def question_card(stage: Stage) -> None:
    run = await start(stage, questions.TABLE)
    await expect(run.locator('question-card[data-state="open"]')).to_be_visible()


@scene()
async def approval(stage: Stage) -> None:
    run = await start(stage, questions.BELL)
    await expect(run.locator("[data-approval]")).to_be_visible()


@scene()
async def reconnecting(stage: Stage) -> None:
    await stage.page.goto(f"http://127.0.0.1:{stage.proxy.port}/")
    run = await ask(stage.page, questions.LONG)
    await has_text(run, "people.")
    stage.proxy.cut(is_reset=True)
    stage.proxy.suffer(RESET)
    await expect(stage.page.locator('[data-connection="lost"]')).to_contain_text("again in")


@scene(375, 1280)
async def stopped(stage: Stage) -> None:
    run = await start(stage, questions.LONG)
    await has_text(run, "people.")
    await stage.page.get_by_role("button", name="Stop", exact=True).click()
    await expect(run).to_have_attribute("data-state", "cancelled")


@scene(375, 1280)
async def versions(stage: Stage) -> None:
    run = await told(stage, questions.SHORT)
    await run.get_by_role("button", name="Regenerate").click()
    await expect(stage.page.get_by_text("2/2")).to_be_visible()
    await stage.page.reload()
    await stage.page.locator(".about summary").click()


@scene(375, 1280)
async def edit(stage: Stage) -> None:
    await told(stage, questions.SHORT)
    await stage.page.locator('[data-role="user"]').hover()
    await stage.page.get_by_role("button", name="Edit").click()
    await expect(stage.page.get_by_label("Your message, changed")).to_be_focused()


@scene(375, 1280)
async def menu(stage: Stage) -> None:
    await told(stage, questions.SHORT)
    bar = stage.page.get_by_role("banner")
    await bar.get_by_role("button", name="More", exact=True).click()


@scene(375, 1280)
async def tools(stage: Stage) -> None:
    await stage.page.goto("/")
    await stage.page.locator("server-picker > button").click()


@scene(375, 768)
async def drawer(stage: Stage) -> None:
    await stage.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    await stage.page.goto("/")
    await stage.page.get_by_role("button", name="Open the list of conversations").click()


@scene(1280)
async def search_hits(stage: Stage) -> None:
    await stage.page.goto("/")
    await stage.page.get_by_role("searchbox", name="Search chats").fill("ferry")
    await expect(stage.page.locator(".side mark").first).to_be_visible()


@scene(375, 1280)
async def search(stage: Stage) -> None:
    await stage.page.goto("/search/?q=ferry")


@scene(375, 1280)
async def archive(stage: Stage) -> None:
    await stage.page.goto("/archive/")


@scene(375, 1280)
async def options(stage: Stage) -> None:
    await told(stage, questions.SHORT)
    await stage.page.goto(f"{stage.page.url}options/")


@scene()
async def account(stage: Stage) -> None:
    await stage.page.goto("/account/")


@scene(375, 1280)
async def not_found(stage: Stage) -> None:
    await stage.page.goto("/c/00000000-0000-4000-8000-000000000000/")


@scene()
async def admin_index(stage: Stage) -> None:
    await stage.page.goto("/admin/")


@scene()
async def admin_tool_runs(stage: Stage) -> None:
    await stage.page.goto("/admin/chat/toolrun/")


@scene(375, 1280)
async def admin_tool_run(stage: Stage) -> None:
    await stage.page.goto("/admin/chat/toolrun/")
    await stage.page.locator("#result_list tbody th a").first.click()
    await stage.page.wait_for_url("**/change/")


@scene(1280)
async def admin_servers(stage: Stage) -> None:
    await stage.page.goto("/admin/chat/mcpserver/")


@scene(1280)
async def admin_models(stage: Stage) -> None:
    await stage.page.goto("/admin/model-checks/")


@scene(375, 1280)
async def admin_rules(stage: Stage) -> None:
    await ToolRule.objects.aupdate_or_create(decision="deny", tool="delete_*", position=1)
    await ToolRule.objects.aupdate_or_create(decision="ask", hint="writes", position=2)
    await stage.page.goto("/admin/chat/toolrule/")


@scene(375, 1280)
async def admin_rule_tried(stage: Stage) -> None:
    run = await start(stage, questions.BELL)
    await expect(run.locator("[data-approval]")).to_be_visible()
    await stage.page.goto("/admin/chat/toolrule/try/")
    await stage.page.get_by_label("Person").fill("mira")
    await stage.page.get_by_label("Tool").select_option(label="Demo tools · reset_bell")
    await stage.page.get_by_role("button", name="Try").click()
    await expect(stage.page.locator(".verdict")).to_be_visible()


@scene(375, 1280)
async def always_allowed(stage: Stage) -> None:
    run = await start(stage, questions.BELL)
    await run.get_by_role("button", name="Always allow in this conversation").click()
    await expect(run).to_have_attribute("data-state", "completed")
    await run.get_by_role("link", name="Change that").click()
