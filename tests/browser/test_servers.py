"""Choosing which servers' tools a conversation uses."""

from collections.abc import Callable, Iterator

import pytest
from playwright.async_api import Page, expect

from chat.models import MCPServer
from tests.browser.steps import ask_to_the_end
from tests.people import Person
from tests.servers.bare_mcp_server import BareMCPServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

USE = "[[call ok {}]][[then]][[text Done.]]"


@pytest.fixture
def chosen(alice: Person, add_server: Callable[..., MCPServer]) -> Iterator[MCPServer]:
    definition = {"name": "ok", "description": "Fine.", "inputSchema": {"type": "object"}}
    with BareMCPServer([definition]) as bare:
        yield add_server(alice, bare.url, slug="chosen")


async def test_a_server_is_switched_off_in_one_conversation(chosen: MCPServer, page: Page) -> None:
    button = page.locator("server-picker > button")
    # Nobody has asked that server yet how many it has.
    await expect(button).to_have_text("Tools")
    run = await ask_to_the_end(page, USE)
    await expect(run.locator("[data-tool-run]")).to_have_attribute("data-state", "ok")
    await page.reload()
    before = int((await button.inner_text()).split()[0])

    await button.focus()
    await page.keyboard.press("Enter")
    box = page.get_by_role("checkbox", name="Chosen")
    await expect(box).to_be_checked()
    await box.press("Space")
    await page.keyboard.press("Escape")

    await expect(button).to_have_text(f"{before - 1} tools")
    run = await ask_to_the_end(page, USE)
    await expect(run.locator("[data-tool-run]")).to_have_attribute("data-state", "blocked")
    await page.reload()
    await button.click()
    await expect(box).not_to_be_checked()
    await expect(page.get_by_role("checkbox", name="Tools", exact=False).first).to_be_checked()

    await page.goto("/")
    await button.click()
    await expect(box).to_be_checked()
