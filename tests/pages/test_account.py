"""The account: what a person chooses for themselves, as without scripts."""

import re
import secrets
from datetime import timedelta

import httpx
import pytest
from django.utils import timezone

from chat.models import AgentRun, ApiToken, Conversation, Session
from chat.runs.history import read_history
from tests.people import PASSWORD, Person
from tests.sse import begin, read

NEW_PASSWORD = "a ferry crosses at noon"


@pytest.fixture
def browser(alice: Person) -> httpx.Client:
    """Alice's session, with the CSRF token that her first page brings."""
    alice.http.get("/")
    alice.http.headers["X-CSRFToken"] = alice.http.cookies["csrftoken"]
    return alice.http


def sign_in(person: Person, password: str = PASSWORD, agent: str = "") -> httpx.Client:
    """Another browser of theirs; without a session if the password is not right."""
    client = person._client()
    client.headers["User-Agent"] = agent
    client.get("/accounts/login/")
    token = client.cookies["csrftoken"]
    form = {"username": person.username, "password": password, "csrfmiddlewaretoken": token}
    client.post("/accounts/login/", data=form)
    client.headers["X-CSRFToken"] = client.cookies["csrftoken"]
    return client


def prompt_of(started: dict[str, str]) -> str:
    return Conversation.objects.get(pk=started["conversation_id"]).system_prompt


def test_the_theme_follows_the_person(browser: httpx.Client, alice: Person) -> None:
    assert sign_in(alice).cookies.get("theme") is None
    browser.post("/theme/", data={"theme": "dark"})
    assert 'value="dark" checked' in browser.get("/account/").text

    other = sign_in(alice)
    assert 'data-theme="dark"' in other.get("/").text

    other.post("/theme/", data={"theme": "system"})
    browser.post("/accounts/logout/")
    assert sign_in(alice).cookies.get("theme") is None


def test_the_language_follows_the_person(browser: httpx.Client, alice: Person) -> None:
    german = {"Accept-Language": "fr,de-AT;q=0.9,en;q=0.5"}
    page = browser.get("/account/", headers=german)
    assert '<html lang="de" dir="ltr"' in page.text
    assert page.headers["Content-Language"] == "de"
    assert '<html lang="en" dir="ltr"' in browser.get("/account/").text

    browser.post("/account/languages/", data={"language": "de"})
    assert "Gespeichert." in browser.get("/account/").text
    browser.post("/accounts/logout/")
    assert "<h1>Anmelden</h1>" in browser.get("/accounts/login/").text

    other = sign_in(alice)
    assert "Neuer Chat" in other.get("/").text
    other.post("/account/languages/", data={"language": "browser"})
    assert "Saved." in other.get("/account/").text
    assert "Aussehen" in other.get("/account/", headers=german).text
    browser.cookies.clear()
    assert sign_in(alice).cookies.get("language") is None


def test_new_chats_begin_with_the_persons_prompt(
    browser: httpx.Client, alice: Person, bob: Person
) -> None:
    response = browser.post("/account/preferences/", data={"system_prompt": "Rhyme,\r\n<always>"})
    assert (response.status_code, response.headers["Location"]) == (303, "/account/")
    page = browser.get("/account/").text
    assert 'role="status">Saved.' in page
    assert "\nRhyme,\n&lt;always&gt;</textarea>" in page
    assert 'role="status">Saved.' not in browser.get("/account/").text

    assert prompt_of(begin(alice.api, "[[text hi]]")) == "Rhyme,\n<always>"
    assert prompt_of(begin(alice.api, "[[text hi]]", system_prompt="Be brief.")) == "Be brief."
    assert prompt_of(begin(alice.api, "[[text hi]]", system_prompt="")) == ""
    assert prompt_of(begin(bob.api, "[[text hi]]")) == ""
    url = browser.post("/c/", data={"message": "[[text hi]]"}).headers["Location"]
    assert "Rhyme," in browser.get(f"{url}options/").text


def test_a_prompt_that_is_too_long_is_refused_with_what_was_written(
    browser: httpx.Client, alice: Person
) -> None:
    response = browser.post("/account/preferences/", data={"system_prompt": "é" * 20_001})
    assert response.status_code == 400
    assert "20,000 characters at most" in response.text
    assert "é" * 20_001 in response.text
    assert "é" not in browser.get("/account/").text

    started = begin(alice.api, "[[text hi]]")
    url = f"/c/{started['conversation_id']}/changes/"
    assert browser.post(url, data={"system_prompt": "é" * 20_001}).status_code == 400
    response = alice.api.patch(
        f"/api/conversations/{started['conversation_id']}/", json={"system_prompt": "é" * 20_001}
    )
    assert (response.status_code, list(response.json()["fields"])) == (400, ["system_prompt"])
    assert prompt_of(started) == ""


def test_the_prompt_of_a_chat_is_for_the_answers_to_come(
    browser: httpx.Client, alice: Person
) -> None:
    started = begin(alice.api, "[[text hi]]")
    read(alice.api, started["run_id"])
    url = f"/c/{started['conversation_id']}/"

    browser.post(f"{url}changes/", data={"system_prompt": "Answer in French."})

    assert "Answer in French.</textarea>" in browser.get(f"{url}options/").text
    api = f"/api{url.replace('/c/', '/conversations/')}"
    next_run = alice.api.post(f"{api}messages/", json={"message": "[[text oui]]"}).json()["run_id"]
    run = AgentRun.objects.select_related("conversation", "message").get(pk=next_run)
    shown = read_history(run)
    assert (shown[0]["role"], shown[0]["content"]) == ("system", "Answer in French.")
    assert alice.api.patch(api, json={"system_prompt": ""}).status_code == 200
    assert alice.api.get(api).json()["system_prompt"] == ""


def test_a_new_password_ends_all_other_sessions(browser: httpx.Client, alice: Person) -> None:
    other = sign_in(alice, agent="Mozilla/5.0 (X11; Linux) Firefox/130.0")
    form = {"old_password": "wrong", "new_password1": "12345", "new_password2": "12345"}
    response = browser.post("/account/passwords/", data=form)
    assert response.status_code == 400
    assert 'aria-invalid="true"' in response.text
    assert "12345" not in response.text
    assert other.get("/account/").status_code == 200

    form = {
        "old_password": PASSWORD,
        "new_password1": NEW_PASSWORD,
        "new_password2": NEW_PASSWORD,
    }
    assert browser.post("/account/passwords/", data=form).status_code == 303

    page = browser.get("/account/").text
    assert "Your password is changed." in page
    assert "Firefox on Linux" not in page
    assert other.get("/account/").status_code == 302
    assert "sessionid" not in sign_in(alice).cookies
    assert sign_in(alice, NEW_PASSWORD).get("/account/").status_code == 200


def test_who_has_a_session_cannot_guess_the_password(browser: httpx.Client) -> None:
    paths = ["/account/passwords/", "/account/deletions/"] * 5
    form = {"old_password": "wrong", "password": "wrong"}
    assert [browser.post(path, data=form).status_code for path in paths] == [400] * 10
    assert browser.post("/account/passwords/", data=form).status_code == 429
    form["password"] = PASSWORD
    assert browser.post("/account/deletions/", data=form).status_code == 429


def test_a_token_is_not_for_the_account(browser: httpx.Client, alice: Person) -> None:
    assert alice.api.get("/account/").status_code == 404
    form = {"system_prompt": "x"}
    assert alice.api.post("/account/preferences/", data=form).status_code == 404
    # Nor is a form of another site, though the browser sends the session along.
    del browser.headers["X-CSRFToken"]
    assert browser.post("/account/preferences/", data=form).status_code == 403
    assert browser.get("/account/preferences/").status_code == 405


def test_a_token_is_shown_once_and_revoked(browser: httpx.Client, alice: Person) -> None:
    response = browser.post("/account/tokens/", data={"name": "my <laptop>"})
    assert response.status_code == 201
    assert response.headers["Cache-Control"] == "no-store"
    token = re.search(r"<code>(fl_[\w-]{43})</code>", response.text)
    assert token
    headers = {"Authorization": f"Bearer {token[1]}"}
    assert httpx.get(f"{alice.site.url}/api/conversations/", headers=headers).status_code == 200

    page = browser.get("/account/").text
    assert "my &lt;laptop&gt;" in page
    assert token[1] not in page
    link = re.search(r'href="(/account/tokens/\d+/)" aria-label="Revoke my &lt;laptop&gt;"', page)
    assert link
    assert f'action="{link[1]}revocations/"' in browser.get(link[1]).text
    assert browser.post(f"{link[1]}revocations/").status_code == 303
    assert "my &lt;laptop&gt;" not in browser.get("/account/").text
    assert httpx.get(f"{alice.site.url}/api/conversations/", headers=headers).status_code == 401
    assert browser.get(link[1]).status_code == 404


def test_tokens_have_names_and_are_fifty_at_most(browser: httpx.Client, alice: Person) -> None:
    for name in ("", " \n", "x" * 101):
        response = browser.post("/account/tokens/", data={"name": name})
        assert response.status_code == 400
        assert 'id="token-problem" role="alert">' in response.text
    # She has one already.
    ApiToken.objects.bulk_create(
        ApiToken(owner=alice.user, name="many", token_hash=secrets.token_hex(32)) for _ in range(48)
    )
    assert browser.post("/account/tokens/", data={"name": "last"}).status_code == 201
    response = browser.post("/account/tokens/", data={"name": "one more"})
    assert (response.status_code, "fl_" in response.text) == (400, False)
    ApiToken.objects.filter(owner=alice.user, name="many").update(revoked_at=timezone.now())
    assert browser.post("/account/tokens/", data={"name": "one more"}).status_code == 201


def test_other_browsers_are_signed_out_and_nobody_else(
    browser: httpx.Client, alice: Person, bob: Person
) -> None:
    other = sign_in(alice)
    assert other.get("/account/").status_code == 200

    assert browser.post("/account/sign-outs/").status_code == 303

    assert "All other browsers are signed out." in browser.get("/account/").text
    assert other.get("/account/").status_code == 302
    assert bob.http.get("/account/").status_code == 200
    assert alice.api.get("/api/conversations/").status_code == 200


FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)


def test_one_browser_is_signed_out(browser: httpx.Client, alice: Person, bob: Person) -> None:
    phone, laptop = sign_in(alice, agent=SAFARI), sign_in(alice, agent=FIREFOX)
    page = browser.get("/account/").text
    assert "This browser" in page
    assert "Firefox on Linux" in page
    listed = re.findall(r'action="(/account/sessions/\w+/revocations/)">.*?"Sign out ([^"]+)', page)
    ends = {name: url for url, name in listed}
    assert ends.keys() == {"Safari on iPhone", "Firefox on Linux"}
    for client in (browser, phone, laptop):
        assert client.cookies["sessionid"] not in page

    bob.http.get("/")
    bob.http.headers["X-CSRFToken"] = bob.http.cookies["csrftoken"]
    assert bob.http.post(ends["Safari on iPhone"]).status_code == 404
    assert browser.post(ends["Safari on iPhone"]).status_code == 303

    page = browser.get("/account/").text
    assert "That browser is signed out." in page
    assert "Safari" not in page
    assert phone.get("/account/").status_code == 302
    assert laptop.get("/account/").status_code == 200
    # Days later, another look is noted.
    mine = Session.live_of(alice.user).filter(user_agent=FIREFOX)
    mine.update(seen_at=timezone.now() - timedelta(days=3))
    assert "Last seen: 3\xa0days ago" in browser.get("/account/").text
    laptop.get("/")
    assert "days ago" not in browser.get("/account/").text
