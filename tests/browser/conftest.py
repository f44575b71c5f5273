"""A real browser for the suite; each test has contexts and pages of its own.

All of it lives on the session's event loop: mark the modules with
`pytest.mark.asyncio(loop_scope="session")`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from django.conf import settings
from django.utils import timezone
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    async_playwright,
    expect,
)

from chat.models import Conversation
from tests.chromium import executable
from tests.people import Person
from tests.servers.site import Site

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # None is started in advance, in which no test will ever show a page.
    "--renderer-process-limit=1",
]

# A machine that is busy with the rest of the suite takes its time.
SECONDS = 15
expect.set_options(timeout=SECONDS * 1000)

NewContext = Callable[..., Awaitable[BrowserContext]]
Have = Callable[..., list[str]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def whole_browser() -> AsyncIterator[Browser]:
    """With all that a browser with windows has."""
    path = executable(is_whole=True)
    own = {"executable_path": path} if path else {"channel": "chromium"}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(args=ARGUMENTS, **own)  # type: ignore[arg-type]
        yield browser
        await browser.close()


@pytest.fixture
def session_of(site: Site) -> Callable[[Person], dict[str, Any]]:
    """A person's session as a cookie of the browser. Asks the database: not for coroutines."""

    def cookie(person: Person) -> dict[str, Any]:
        name, value = settings.SESSION_COOKIE_NAME, person.session_cookie
        return {"name": name, "value": value, "url": site.url}

    return cookie


@pytest.fixture
def alices_session(alice: Person, session_of: Callable[[Person], dict[str, Any]]) -> dict[str, Any]:
    return session_of(alice)


@pytest.fixture
def carols_session(carol: Person, session_of: Callable[[Person], dict[str, Any]]) -> dict[str, Any]:
    return session_of(carol)


@pytest_asyncio.fixture(loop_scope="session")
async def new_context(
    browser: Browser, site: Site, new_site: object, alices_session: dict[str, Any]
) -> AsyncIterator[NewContext]:
    """Contexts in which Alice is signed in. Whatever a page complains about fails the test.

    They close before any site of `new_site`, which a page would complain about.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []
    allowed: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    async def new(
        session: dict[str, Any] | None = alices_session,
        *,
        may_complain_of: str = "",
        of: Browser = browser,
        **options: Any,
    ) -> BrowserContext:
        """`may_complain_of`: what the test itself provokes on the browser's console."""
        context = await of.new_context(**{"base_url": site.url} | options)
        context.set_default_timeout(SECONDS * 1000)
        context.on("console", hear)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        if may_complain_of:
            allowed.append(may_complain_of)
        if session:
            await context.add_cookies([session])  # type: ignore[list-item]
        contexts.append(context)
        return context

    yield new
    for context in contexts:
        await context.close()
    assert [text for text in complaints if not any(part in text for part in allowed)] == []


@pytest_asyncio.fixture(loop_scope="session")
async def page(new_context: NewContext) -> Page:
    """Alice's page, on a new chat."""
    context = await new_context(viewport={"width": 1280, "height": 800})
    page = await context.new_page()
    await page.goto("/")
    return page


@pytest.fixture
def have(alice: Person) -> Have:
    """Conversations of Alice; the last one moved last. Asks the database: not for coroutines."""

    def make(*titles: str, **values: object) -> list[str]:
        now = timezone.now()
        rows = [
            Conversation(
                owner=alice.user,
                title=title,
                **{"updated_at": now + timedelta(milliseconds=number), **values},
            )
            for number, title in enumerate(titles)
        ]
        return [f"/c/{row.pk}/" for row in Conversation.objects.bulk_create(rows)]

    return make


@pytest.fixture
def three(have: Have) -> list[str]:
    return have("Otters", "Beavers", "Herons")
