"""Authorising a server for oneself, in a real browser with our policies in force."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Page, expect

from chat.models import MCPServer
from tests.browser.conftest import NewContext
from tests.browser.steps import ask_to_the_end, has_text
from tests.servers.oauth_server import OAuthServer

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def authority(database: None) -> Iterator[OAuthServer]:
    with OAuthServer() as running:
        running.subject = "Alice there"
        server = MCPServer.objects.create(
            name="Guarded tools",
            slug="guarded",
            url=running.mcp.url,
            authorisation="personal",
            is_trusted=True,
        )
        yield running
        server.delete()


@pytest.fixture
def shared(authority: OAuthServer) -> None:
    MCPServer.objects.filter(slug="guarded").update(authorisation="shared")


async def test_a_person_goes_there_and_comes_back(authority: OAuthServer, page: Page) -> None:
    await page.goto("/tools/guarded/authorisation/")
    await page.get_by_role("button", name="Authorise").click()
    await page.get_by_role("link", name="Go on to 127.0.0.1").click()

    await expect(page.get_by_role("status")).to_contain_text("acts for you")
    await expect(page.get_by_role("button", name="Revoke")).to_be_visible()
    await page.get_by_role("link", name="Back to the chat").click()
    run = await ask_to_the_end(page, "[[call whoami {}]][[then]][[text Done.]]")
    await has_text(run, "Done.")
    assert authority.mcp.served == ["Alice there"]


async def test_an_admin_does_it_for_all(
    authority: OAuthServer,
    shared: None,
    new_context: NewContext,
    carols_session: dict[str, Any],
) -> None:
    context = await new_context(carols_session)
    page = await context.new_page()
    await page.goto("/admin/chat/mcpauthorisation/")
    await page.get_by_role("link", name="Guarded tools").click()
    await page.get_by_role("button", name="Authorise").click()
    await page.get_by_role("link", name="Go on to 127.0.0.1").click()

    await expect(page.get_by_text("acts for everybody")).to_be_visible()
    await page.goto("/admin/chat/mcpauthorisation/")
    await expect(page.locator("#result_list")).to_contain_text("authorised")
