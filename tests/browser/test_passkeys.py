"""Passkeys, with an authenticator that Chromium plays; and how the pages around them look."""

import pytest
from django.conf import settings
from playwright.async_api import Page, expect

from tests.browser.conftest import NewContext
from tests.people import PASSWORD, Person

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def with_authenticator(page: Page) -> None:
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable")
    options = {
        **{"protocol": "ctap2", "transport": "internal", "hasResidentKey": True},
        **{"hasUserVerification": True, "isUserVerified": True},
        "automaticPresenceSimulation": True,
    }
    await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})


async def forget(page: Page) -> None:
    """Nobody is signed in any more, and no late answer to the page before sets a cookie again."""
    await page.goto("about:blank")
    await page.context.clear_cookies()


async def test_a_passkey_signs_in_without_a_password(
    new_context: NewContext, alice: Person
) -> None:
    # Passkeys are for names, not for numbers.
    here = f"http://localhost:{alice.site.port}"
    context = await new_context()
    name, value = settings.SESSION_COOKIE_NAME, alice.session_cookie
    await context.add_cookies([{"name": name, "value": value, "url": here}])
    page = await context.new_page()
    await with_authenticator(page)
    await page.goto(f"{here}/account/")
    await page.locator("#second-factor ~ p .button").click()
    await page.get_by_role("link", name="Add a passkey").click()
    await page.fill("[name=password]", PASSWORD)
    await page.get_by_role("button", name="Confirm").click()
    # Nothing on the other page is against our policy: `new_context` would have heard of it.
    add = page.url
    await page.goto(f"{here}/accounts/2fa/totp/activate/")
    assert await page.locator(".qr").evaluate("image => image.decode().then(() => image.width)")
    await page.goto(add)
    await page.fill("[name=name]", "My <laptop>")
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.locator(".codes li")).to_have_count(10)
    await page.goto(f"{here}/accounts/2fa/webauthn/")
    await expect(page.get_by_text("My <laptop>")).to_be_visible()

    await forget(page)
    await page.goto(f"{here}/accounts/login/?next=/account/")
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await page.wait_for_url(f"{here}/account/")

    # With the password it is the second factor.
    await forget(page)
    await page.goto(f"{here}/accounts/login/")
    await page.fill("[name=username]", alice.username)
    await page.fill("[name=password]", PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.wait_for_url("**/2fa/authenticate/")
    await page.get_by_role("button", name="Use a passkey").click()
    await page.wait_for_url(f"{here}/")

    await page.goto(f"{here}/accounts/2fa/webauthn/")
    await page.get_by_role("link", name="Remove My <laptop>").click()
    await page.fill("[name=password]", PASSWORD)
    await page.get_by_role("button", name="Confirm").click()
    await page.get_by_role("button", name="Remove").click()
    await expect(page.get_by_text("My <laptop>")).to_have_count(0)
