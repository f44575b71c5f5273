"""Nothing runs that is not ours: the policy of every page, and no page that breaks it."""

from typing import Any

import pytest
from playwright.async_api import Page

from tests.browser.conftest import NewContext
from tests.browser.steps import ask_to_the_end
from tests.browser.test_accessibility import ADMIN_PAGES

pytestmark = pytest.mark.asyncio(loop_scope="session")

STORY = '[[reason Hm.]][[call echo {"text": "a"}]][[then]][[text # So\n\n```python\nx = 1\n```]]'
INLINE = "script:not([src]):not([type='application/json']), style, [style], [onclick], [onload]"


async def test_every_page_keeps_the_policy(
    new_context: NewContext, carols_session: dict[str, Any]
) -> None:
    # Complaints on the console fail the test by themselves; see new_context.
    context = await new_context(session=carols_session, may_complain_of="status of 404")
    page = await context.new_page()
    await page.goto("/")
    run = await ask_to_the_end(page, STORY)
    await run.locator("details.tool > summary").click()
    chat = page.url
    log = "/admin/chat/toolrun/"
    urls = ["/", chat, f"{chat}options/", "/search/?q=so", "/archive/", "/account/", "/nowhere/"]
    urls += [f"/admin/{url}" for url in ADMIN_PAGES]

    broken = [await problem_of(page, url) for url in urls]
    await page.goto(log)
    first = await page.locator("#result_list tbody th a").first.get_attribute("href")
    broken.append(await problem_of(page, str(first)))
    await context.clear_cookies()
    broken.append(await problem_of(page, "/accounts/login/"))

    assert [found for found in broken if found] == []


async def problem_of(page: Page, url: str) -> str:
    response = await page.goto(url)
    assert response
    policy = response.headers.get("content-security-policy", "")
    if "default-src 'self'" not in policy or "unsafe" in policy:
        return f"{url}: {policy}"
    # As it was sent; what scripts do to the page afterwards is theirs.
    source = await response.text()
    found = await page.evaluate(
        """([source, selector]) => {
          const page = new DOMParser().parseFromString(source, "text/html");
          return [...page.querySelectorAll(selector)].map((one) => one.outerHTML.slice(0, 200));
        }""",
        [source, INLINE],
    )
    return f"{url}: {found}" if found else ""
