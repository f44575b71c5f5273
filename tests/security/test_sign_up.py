"""New accounts: by invitation, or for everybody where the deployment says so."""

import re
import secrets
from collections.abc import Callable
from html import unescape

import httpx
from django.utils import timezone

from chat.models import Invitation
from tests.people import PASSWORD, Person
from tests.security.signing_in import SlowMailServer, browser, form_for
from tests.servers.site import Site


def test_an_invitation_is_for_one_person_and_some_days(
    gate: Site, mail_server: SlowMailServer, carol: Person, alice: Person
) -> None:
    assert "By invitation only" in alice._client().get("/accounts/signup/").text
    add, name = "/admin/chat/invitation/add/", f"dora-{secrets.token_hex(4)}"
    email = f"{name}@example.test"
    with browser(gate) as admin, browser(gate) as dora, browser(gate) as eve:
        admin.cookies.set("sessionid", carol.session_cookie)
        until = "2999-01-01T12:00"
        admin.post(add, data=form_for(admin, add, email=email, expires_at=until))
        mail = next(mail for mail in mail_server.mails if mail["To"] == email)
        link = re.search(r"http://\S+", mail.get_content())[0]
        # Also to be copied, where there is no mail.
        assert link in unescape(admin.get("/admin/chat/invitation/").text)

        assert email in dora.get(link).text
        new = {"username": name, "email": email, "password1": PASSWORD, "password2": PASSWORD}
        form = form_for(eve, link, **new | {"username": f"{name}-eve", "email": ""})
        assert eve.post(f"{link}x", data=form).status_code == 200
        assert dora.post(link, data=form_for(dora, link, **new)).headers["location"] == "/"
        assert name in dora.get("/account/").text
        assert eve.post(link, data=form).status_code == 200
        assert "By invitation only" in eve.get(link).text

    users = type(alice.user).objects
    assert not users.filter(username=f"{name}-eve").exists()
    used = Invitation.objects.get(email=email)
    assert (used.used_by.username, used.invited_by) == (name, carol.user)
    assert not used.take(alice.user)
    old = Invitation.objects.create(expires_at=timezone.now())
    assert Invitation.by_text(old.text) is None
    assert not old.take(alice.user)


def test_where_everybody_may_sign_up_nobody_needs_an_invitation(
    site: Site, new_site: Callable[..., Site]
) -> None:
    name, path = f"erin-{secrets.token_hex(4)}", "/accounts/signup/"
    new = {"username": name, "email": "", "password1": PASSWORD, "password2": PASSWORD}
    with httpx.Client(base_url=site.url) as closed:
        assert path not in closed.get("/accounts/login/").text
        refused = closed.post(path, data=form_for(closed, **new))
        assert "By invitation only" in refused.text

    with httpx.Client(base_url=new_site(ALLOW_SIGNUP="true").url, timeout=30) as erin:
        assert f'href="{path}' in erin.get("/accounts/login/").text
        weak = form_for(erin, path, **new | {"password1": "12345", "password2": "12345"})
        assert erin.post(path, data=weak).status_code == 200
        assert erin.get("/account/").status_code == 302
        assert erin.post(path, data=form_for(erin, path, **new)).headers["location"] == "/"
        assert name in erin.get("/account/").text
        # Of no more than themselves.
        assert erin.get("/admin/").status_code == 302
        again = form_for(erin, "/account/", **new)
        erin.cookies.delete("sessionid")
        assert erin.post(path, data=again).status_code == 200
