"""The pages around the chat: signing in and up, second factors, what went wrong, the API.

Each in German, too: nothing here is found by its words.
"""

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.template.loader import render_to_string
from django.utils.translation import override
from playwright.async_api import Page, Route, expect

from chat.accounts.addresses import text_for
from chat.models import Invitation
from tests.browser.screenshots.scenes import SCENES, Stage, scene
from tests.people import PASSWORD

__all__ = ["SCENES"]

LANGUAGES = ("en", "de")
# Those that nobody can be led to by a link.
BROKEN = ("400", "403", "403_csrf", "429", "500", "503")
WITHOUT_CONTEXT = "500"


async def send(page: Page) -> None:
    await page.locator(".sheet .button.primary").first.click()


@scene(375, 1280, is_signed_in=False, languages=LANGUAGES)
async def sign_up(stage: Stage) -> None:
    invitation = await Invitation.objects.acreate(email="noor@example.test")
    await stage.page.goto(f"/accounts/signup/?invitation={invitation.text}")


@scene(375, 1280, is_signed_in=False, languages=LANGUAGES)
async def sign_up_refused(stage: Stage) -> None:
    await sign_up(stage)
    await stage.page.fill("[name=username]", "mira")
    await stage.page.fill("[name=password1]", "12345")
    await stage.page.fill("[name=password2]", "12345")
    await send(stage.page)
    await expect(stage.page.get_by_role("alert").first).to_be_visible()


@scene(375, 1280, is_signed_in=False, languages=LANGUAGES)
async def sign_up_closed(stage: Stage) -> None:
    await stage.page.goto("/accounts/signup/")


@scene(375, 1280, is_signed_in=False, languages=LANGUAGES)
async def password_forgotten(stage: Stage) -> None:
    await stage.page.goto("/accounts/password/reset/")


@scene(375, 1280, is_signed_in=False, languages=LANGUAGES)
async def password_asked_for(stage: Stage) -> None:
    await stage.page.goto("/accounts/password/reset/done/")


@scene(375, 1280, is_signed_in=False, languages=LANGUAGES)
async def password_new(stage: Stage) -> None:
    mira = await get_user_model().objects.aget(username="mira")
    token = await sync_to_async(default_token_generator.make_token)(mira)
    key = f"{user_pk_to_url_str(mira)}-{token}"
    await stage.page.goto(f"/accounts/password/reset/key/{key}/")
    await expect(stage.page.locator("[name=password1]")).to_be_visible()


@scene(375, 1280, is_signed_in=False, languages=LANGUAGES)
async def password_too_late(stage: Stage) -> None:
    await stage.page.goto("/accounts/password/reset/key/1-x/")


@scene(375, is_signed_in=False, languages=LANGUAGES)
async def password_changed(stage: Stage) -> None:
    await stage.page.goto("/accounts/password/reset/key/done/")


@scene(375, is_signed_in=False, languages=LANGUAGES)
async def inactive(stage: Stage) -> None:
    await stage.page.goto("/accounts/inactive/")


@scene(375, 1280, languages=LANGUAGES)
async def second_factor(stage: Stage) -> None:
    await stage.page.goto("/accounts/2fa/")


@scene(375, 1280, languages=LANGUAGES)
async def address(stage: Stage) -> None:
    await stage.page.goto("/account/")
    await stage.page.locator("#address").evaluate("heading => heading.scrollIntoView()")


@scene(375, languages=LANGUAGES)
async def address_too_late(stage: Stage) -> None:
    await stage.page.goto("/account/addresses/x/")


@scene(375, 1280, languages=LANGUAGES)
async def address_new(stage: Stage) -> None:
    mira = await get_user_model().objects.aget(username="mira")
    await stage.page.goto(f"/account/addresses/{text_for(mira, 'mira@example.org')}/")


@scene(375, 1280, languages=LANGUAGES)
async def is_it_you(stage: Stage) -> None:
    await stage.page.goto("/accounts/reauthenticate/")


async def confirmed(stage: Stage, url: str) -> None:
    """There, with the password given once more, unless it just was."""
    await stage.page.goto(url)
    if "reauthenticate" in stage.page.url:
        await stage.page.fill("[name=password]", PASSWORD)
        await send(stage.page)
        await stage.page.wait_for_url(f"**{url}")


@scene(375, 1280, languages=LANGUAGES)
async def codes_of_an_app(stage: Stage) -> None:
    await confirmed(stage, "/accounts/2fa/totp/activate/")
    await stage.page.locator("details summary").click()


@scene(375, 1280, languages=LANGUAGES)
async def passkey_add(stage: Stage) -> None:
    await confirmed(stage, "/accounts/2fa/webauthn/add/")


async def with_factors() -> Authenticator:
    """Mira's, in the database alone: nobody can sign in with them. The passkey of them."""
    mira = await get_user_model().objects.aget(username="mira")
    await mira.authenticator_set.all().adelete()
    kinds = Authenticator.Type
    rows = [
        (kinds.RECOVERY_CODES, {"seed": "", "used_mask": 3}),
        (kinds.WEBAUTHN, {"name": "Security key on my ring of keys", "credential": {}}),
        (kinds.WEBAUTHN, {"name": "Laptop", "credential": {}}),
    ]
    for kind, data in rows:
        last = await Authenticator.objects.acreate(user=mira, type=kind, data=data)
    return last


@scene(375, 1280, languages=LANGUAGES)
async def second_factor_on(stage: Stage) -> None:
    await with_factors()
    await stage.page.goto("/accounts/2fa/")


@scene(375, 1280, languages=LANGUAGES)
async def passkeys(stage: Stage) -> None:
    await with_factors()
    await confirmed(stage, "/accounts/2fa/webauthn/")


@scene(375, languages=LANGUAGES)
async def passkey_name(stage: Stage) -> None:
    key = await with_factors()
    await confirmed(stage, f"/accounts/2fa/webauthn/keys/{key.pk}/edit/")


@scene(375, languages=LANGUAGES)
async def passkey_remove(stage: Stage) -> None:
    key = await with_factors()
    await confirmed(stage, f"/accounts/2fa/webauthn/keys/{key.pk}/remove/")


@scene(375, 1280, languages=LANGUAGES)
async def recovery_codes(stage: Stage) -> None:
    await with_factors()
    await confirmed(stage, "/accounts/2fa/recovery-codes/")


@scene(375, languages=LANGUAGES)
async def recovery_codes_new(stage: Stage) -> None:
    await with_factors()
    await confirmed(stage, "/accounts/2fa/recovery-codes/generate/")


@scene(375, 1280, is_signed_in=False, languages=LANGUAGES)
async def sign_in_second_step(stage: Stage) -> None:
    await with_factors()
    keys = Authenticator.objects.filter(user__username="mira", type=Authenticator.Type.WEBAUTHN)
    await keys.filter(data__name="Laptop").adelete()
    await keys.aupdate(type=Authenticator.Type.TOTP, data={"secret": ""})
    await stage.page.goto("/accounts/login/")
    await stage.page.fill("[name=username]", "mira")
    await stage.page.fill("[name=password]", PASSWORD)
    await send(stage.page)
    await stage.page.wait_for_url("**/2fa/authenticate/")


async def broken(stage: Stage, template: str) -> None:
    """The page as it is, at an address that is not."""

    async def answer(route: Route) -> None:
        known = {"text": "This site is not known under that name.", "product_name": "Ferryline"}
        with override(stage.language):
            context = {} if template == WITHOUT_CONTEXT else known
            text = render_to_string(f"{template}.html", context)
        await route.fulfill(body=text, content_type="text/html")

    await stage.page.route("**/broken/", answer)
    await stage.page.goto("/broken/")


def _break(template: str) -> None:
    async def play(stage: Stage) -> None:
        await broken(stage, template)

    play.__name__ = f"error_{template}"
    scene(375, is_signed_in=False, languages=LANGUAGES)(play)


for name in BROKEN:
    _break(name)


@scene(1280, is_signed_in=False)
async def wrong_host(stage: Stage) -> None:
    """A name that leads here, and is not this site's."""
    await stage.page.goto(f"http://ferry.localhost:{stage.port}/")


@scene(375, 1280, is_signed_in=False, languages=LANGUAGES)
async def api(stage: Stage) -> None:
    await stage.page.goto("/api/docs")


@scene(1280, is_signed_in=False)
async def api_operation(stage: Stage) -> None:
    await stage.page.goto("/api/docs")
    await stage.page.locator("main article").nth(3).scroll_into_view_if_needed()


@scene(375, 1280, languages=LANGUAGES)
async def admin_invitations(stage: Stage) -> None:
    await Invitation.objects.acreate(email="noor@example.test")
    await stage.page.goto("/admin/chat/invitation/")


@scene(375, 1280)
async def admin_invitation_add(stage: Stage) -> None:
    await stage.page.goto("/admin/chat/invitation/add/")


@scene(375, 1280)
async def admin_invitation(stage: Stage) -> None:
    invitation = await Invitation.objects.acreate(email="noor@example.test")
    await stage.page.goto(f"/admin/chat/invitation/{invitation.pk}/change/")


@scene(375, 1280)
async def admin_invitation_delete(stage: Stage) -> None:
    invitation = await Invitation.objects.acreate(email="noor@example.test")
    await stage.page.goto(f"/admin/chat/invitation/{invitation.pk}/delete/")


@scene(375, 1280, languages=LANGUAGES)
async def admin_health(stage: Stage) -> None:
    await stage.page.goto("/admin/health/")


@scene(375, 1280)
async def admin_usage(stage: Stage) -> None:
    await stage.page.goto("/admin/usage/")


@scene(375, 1280)
async def admin_ledger(stage: Stage) -> None:
    await stage.page.goto("/admin/chat/ledgerentry/")


@scene(1280)
async def admin_quotas(stage: Stage) -> None:
    await stage.page.goto("/admin/chat/quota/")


@scene(1280)
async def admin_people(stage: Stage) -> None:
    await stage.page.goto("/admin/auth/user/")


@scene(1280)
async def admin_second_factors(stage: Stage) -> None:
    await with_factors()
    await stage.page.goto("/admin/mfa/authenticator/")


@scene(1280)
async def admin_exports(stage: Stage) -> None:
    await stage.page.goto("/admin/chat/toolrunexport/")
