"""The pages as a browser without scripts has them."""

import re
from collections.abc import Callable

import httpx
import pytest
from django.conf import settings

from chat.models import AgentRun, Conversation
from chat.views.shown import shown_runs
from tests.people import Person
from tests.servers.site import Site
from tests.sse import begin, read, wait_until


@pytest.fixture
def browser(alice: Person) -> httpx.Client:
    """Alice's session, with the CSRF token that her first page brings."""
    alice.http.get("/")
    alice.http.headers["X-CSRFToken"] = alice.http.cookies["csrftoken"]
    return alice.http


def test_who_is_not_signed_in_is_sent_to_sign_in(alice: Person) -> None:
    with httpx.Client(base_url=alice.site.url) as anybody:
        response = anybody.get("/?message=hi")

    assert response.status_code == 302
    assert response.headers["Location"] == "/accounts/login/?next=/%3Fmessage%3Dhi"


def test_who_was_signed_out_meanwhile_is_led_back_to_the_conversation(
    browser: httpx.Client,
) -> None:
    chat = browser.post("/c/", data={"message": "[[text Hello.]]"}).headers["Location"]
    del browser.cookies[settings.SESSION_COOKIE_NAME]

    led = [browser.post(url).headers["Location"] for url in (f"{chat}messages/", "/c/")]

    assert led == [f"/accounts/login/?next={chat}", "/accounts/login/?next=/"]


def test_a_form_starts_a_conversation_and_leads_to_it(browser: httpx.Client) -> None:
    response = browser.post("/c/", data={"message": "[[text Hello.]]"})

    assert response.status_code == 303
    page = browser.get(response.headers["Location"])
    assert "[[text Hello.]]" in page.text
    assert page.headers["Cache-Control"] == "no-store"


def test_a_running_answer_has_a_page_that_refreshes_itself(browser: httpx.Client) -> None:
    response = browser.post("/c/", data={"message": '[[call slow {"seconds": 20, "steps": 2}]]'})
    page = browser.get(response.headers["Location"]).text

    looks_again = '<noscript><meta http-equiv="refresh" content="3"></noscript>'
    assert looks_again in page
    # It would wipe what somebody writes there.
    edit = re.search(r'name="edit" value="(\d+)"', page)
    assert edit
    changed = browser.get(response.headers["Location"], params={"edit": edit[1]}).text
    assert 'name="replaces"' in changed
    assert looks_again not in changed
    assert 'data-state="running"' in page
    stop = re.search(r'formaction="(/runs/[^"]+/cancellations/)"', page)
    assert stop
    assert browser.post(stop[1]).headers["Location"] == response.headers["Location"]
    run = AgentRun.objects.get(pk=stop[1].split("/")[2])
    wait_until(lambda: AgentRun.objects.get(pk=run.pk).status == "cancelled")


def test_an_empty_message_is_refused_in_a_sentence(browser: httpx.Client, alice: Person) -> None:
    response = browser.post("/c/", data={"message": " \n"})

    assert response.status_code == 400
    assert "Please write a message first." in response.text
    assert not Conversation.objects.filter(owner=alice.user).exists()


def test_a_message_too_much_keeps_what_was_written(browser: httpx.Client, alice: Person) -> None:
    started = begin(alice.api, '[[call slow {"seconds": 20, "steps": 2}]]')

    url = f"/c/{started['conversation_id']}/messages/"
    response = browser.post(url, data={"message": "and <this>?"})

    assert response.status_code == 409
    assert "and &lt;this&gt;?</textarea>" in response.text
    assert "still in progress" in response.text
    alice.api.post(f"/api/runs/{started['run_id']}/cancellations/")


def test_a_form_without_its_token_changes_nothing(alice: Person) -> None:
    response = alice.http.post("/c/", data={"message": "hi"})

    assert response.status_code == 403
    assert "Nothing was changed" in response.text
    assert not Conversation.objects.filter(owner=alice.user).exists()


def test_a_run_in_progress_says_which_event_it_shows(alice: Person) -> None:
    started = begin(alice.api, "[[text One.]][[call echo {}]][[then]][[text Two.]]")
    frames = read(alice.api, started["run_id"])

    page = alice.http.get(f"/runs/{started['run_id']}/").text

    assert f'data-last-event-id="{frames[-1].id}"' in page
    assert page.count("data-content") == 3


def test_an_answer_that_ends_while_it_is_read_has_all_its_details(alice: Person) -> None:
    started = begin(alice.api, "[[tokens 50 delay 20]]")
    run = AgentRun.objects.select_related("answer").get(pk=started["run_id"])
    assert not run.is_over
    read(alice.api, started["run_id"])

    (shown,) = shown_runs([run])

    assert shown.is_over
    assert shown.first_token_ms is not None
    assert shown.duration_ms is not None
    assert shown.first_token_ms < shown.duration_ms


def test_a_name_that_is_not_ours_is_told_so(alice: Person) -> None:
    elsewhere, said = {"Host": "elsewhere.example"}, len(alice.site.log)

    page = alice.http.get("/", headers=elsewhere)
    assert page.status_code == 400
    assert "not known under that name" in page.text
    # A way back would lead to the same name.
    assert "Back to the chat" not in page.text
    answer = alice.api.get("/api/conversations/", headers=elsewhere)
    assert answer.status_code == 400
    assert answer.json()["code"] == "BAD_REQUEST"
    # Anybody may do that: a line each, and no alarm.
    told = alice.site.log[said:]
    assert told.count("WARNING django.security.DisallowedHost: Invalid HTTP_HOST header") == 2
    assert "Traceback" not in told
    assert "ERROR" not in told


def test_only_the_last_turns_are_shown_at_first(alice: Person) -> None:
    conversation = Conversation.objects.create(owner=alice.user, title="long")
    last = None
    for number in range(60):
        last = conversation.messages.create(role="user", content=f"question {number}.", parent=last)

    url = conversation.get_absolute_url()
    page = alice.http.get(url).text
    assert page.count('data-role="user"') == 50 + 1  # and the one in the <template>
    assert "question 9." not in page
    assert '<a href="?turns=100">Earlier messages</a>' in page

    whole = alice.http.get(f"{url}?turns=100").text
    assert "question 0." in whole
    assert "Earlier messages" not in whole


def test_the_theme_is_remembered_and_printed(browser: httpx.Client) -> None:
    response = browser.post("/theme/", data={"theme": "dark"})

    assert response.status_code == 303
    assert 'data-theme="dark"' in browser.get("/").text
    browser.post("/theme/", data={"theme": "system"})
    assert 'data-theme="' not in browser.get("/").text


def test_the_theme_never_leads_away_from_the_site(browser: httpx.Client) -> None:
    elsewhere = {"Referer": "https://elsewhere.example/"}

    response = browser.post("/theme/", data={"theme": "dark"}, headers=elsewhere)

    assert response.headers["Location"] == "/"


def test_what_is_not_there_has_a_page(browser: httpx.Client) -> None:
    response = browser.get("/no/such/page/")

    assert response.status_code == 404
    assert "There is nothing here" in response.text


def test_the_demo_model_says_that_it_is_one(
    alice: Person, browser: httpx.Client, new_site: Callable[..., Site]
) -> None:
    demo = new_site(LLM_BASE_URL="", LLM_MODEL="")

    page = httpx.get(demo.url, cookies={"sessionid": alice.session_cookie}).text

    assert "Demo model" in page
    assert "OPENROUTER_API_KEY" in page
    assert "OPENROUTER_API_KEY" not in browser.get("/").text


def test_a_page_holds_no_inline_script_or_style(browser: httpx.Client) -> None:
    page = browser.get("/").text

    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", page)
