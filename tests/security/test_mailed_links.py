"""What a link in a mail is good for: a new password, another address."""

import re
import secrets

import httpx

from tests.people import PASSWORD, Person
from tests.security.signing_in import SlowMailServer, browser, form_for, try_in
from tests.servers.site import Site
from tests.sse import wait_until


def test_a_new_password_by_mail(gate: Site, mail_server: SlowMailServer, alice: Person) -> None:
    path = "/accounts/password/reset/"
    assert "ask an admin" in alice._client().get(path).text
    with browser(gate) as client:
        unknown = client.post(path, data=form_for(client, path, email="nobody@example.test"))
        mail_server.answers.clear()
        known = client.post(path, data=form_for(client, path, email=alice.user.email))
        # No difference between who has an account and who has none, nor in time: nobody waits
        # for the mail server.
        assert unknown.headers["location"] == known.headers["location"] == f"{path}done/"
        assert mail_server.to(alice.user.email) == []
        mail_server.answers.set()
        (mail,) = wait_until(lambda: mail_server.to(alice.user.email))
        assert alice.username in mail.get_content()
        link = re.search(r"http://\S+", mail.get_content())[0]
        assert link.startswith(gate.url)

        # The address of the form does not have the key, which would go along to others.
        page = client.get(link).headers["location"]
        new = {"password1": "a ferry crosses at noon", "password2": "a ferry crosses at noon"}
        assert 'id="password-rules"' in client.get(page).text
        short = {"password1": "12345", "password2": "12345"}
        assert client.post(page, data=form_for(client, page, **short)).status_code == 200
        assert client.post(page, data=form_for(client, page, **new)).status_code == 302
        assert "is too old" in client.get(link, follow_redirects=True).text
        assert try_in(client, alice.username, new["password1"]).status_code == 302
    assert alice.http.get("/account/").status_code == 302


def test_an_address_is_changed_by_who_reads_its_mail(
    gate: Site, mail_server: SlowMailServer, alice: Person, bob: Person
) -> None:
    ask, new = "/account/addresses/", f"{secrets.token_hex(4)}@Example.test"

    def post(client: httpx.Client, address: str, password: str = PASSWORD) -> httpx.Response:
        values = {"address-email": address, "address-password": password}
        return client.post(ask, data=form_for(client, "/account/", **values))

    with browser(gate) as hers, browser(gate) as his:
        hers.cookies.set("sessionid", alice.session_cookie)
        his.cookies.set("sessionid", bob.session_cookie)
        wrong = post(hers, new, "wrong")
        assert (wrong.status_code, "That is not your password." in wrong.text) == (400, True)
        # Whether somebody else has it is not told, nor shown by who waits for the mail server.
        mail_server.answers.clear()
        for address in (bob.user.email, new):
            assert post(hers, address).status_code == 303
            assert f"A link is on its way to {address.lower()}" in hers.get("/account/").text
        assert post(hers, new).status_code == 429
        mail_server.answers.set()
        (mail,) = wait_until(
            lambda: [*mail_server.to(new.lower()), *mail_server.to(bob.user.email)]
        )
        link = re.search(r"http://\S+", mail.get_content())[0]

        # The link alone changes nothing, and is nobody else's.
        assert new.lower() in hers.get(link).text
        confirm = f"{link}confirmations/"
        assert his.get(link).status_code == 404
        assert his.post(confirm, data=form_for(his, "/account/")).headers["location"] in link
        alice.user.refresh_from_db()
        assert alice.user.email != new.lower()

        before = alice.user.email
        form = form_for(hers, "/account/")
        assert hers.post(confirm, data=form).headers["location"] == "/account/"
        assert "Your e-mail address is changed." in hers.get("/account/").text
        assert hers.get(link).status_code == 404
    alice.user.refresh_from_db()
    assert alice.user.email == new.lower()
    # The old one hears of it; and for single sign-on nobody has vouched for the new one.
    (told,) = wait_until(lambda: mail_server.to(before))
    assert new.lower() in told.get_content()
    assert not alice.user.emailaddress_set.get().verified
