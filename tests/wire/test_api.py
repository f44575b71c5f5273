"""The JSON API: conversations, runs, bad input, limits."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from chat.models import AgentRun, ApiToken, Conversation
from tests.people import Person
from tests.servers.site import Site
from tests.sse import ask, begin, read, text_of, wait_until


def test_chat_answers_when_it_is_over(alice: Person) -> None:
    body = alice.api.post("/chat", json={"message": "[[text All done.]]"}).json()

    assert body["content"] == "All done."
    assert AgentRun.objects.get(pk=body["run_id"]).conversation_id.hex == body[
        "conversation_id"
    ].replace("-", "")


def test_a_failed_chat_answers_502_with_its_code(alice: Person) -> None:
    response = alice.api.post("/chat", json={"message": "[[status 401]]"})

    assert response.status_code == 502
    assert response.json()["code"] == "LLM_AUTH"


def test_an_account_that_is_closed_while_a_chat_waits_is_not_found(alice: Person) -> None:
    with ThreadPoolExecutor(1) as threads:
        asking = threads.submit(alice.api.post, "/chat", json={"message": "[[text Hi]][[stall]]"})
        wait_until(lambda: AgentRun.objects.filter(owner=alice.user, last_seq=1).exists())
        alice.user.delete()

    assert (asking.result().status_code, asking.result().json()["code"]) == (404, "NOT_FOUND")


def test_a_conversation_goes_on_with_what_was_said(alice: Person) -> None:
    first = begin(alice.api, '[[call echo {"text": "one"}]][[then]][[text First.]]')
    read(alice.api, first["run_id"])

    url = f"/api/conversations/{first['conversation_id']}/"
    second = alice.api.post(f"{url}messages/", json={"message": "[[text Second.]]"}).json()
    # The scripted model refuses a history in which calls and results do not match.
    assert text_of(read(alice.api, second["run_id"])).strip() == "Second."

    whole = alice.api.get(url).json()
    assert [message["role"] for message in whole["messages"]] == ["user", "assistant"] * 2
    assert whole["tool_runs"][0]["result"] == "one"
    assert whole["tool_runs"][0]["state"] == "ok"


def test_the_list_of_conversations_is_paged_newest_first(alice: Person) -> None:
    Conversation.objects.bulk_create(
        Conversation(owner=alice.user, title=f"chat {n}") for n in range(60)
    )
    newest = begin(alice.api, "[[text hi]]")["conversation_id"]

    page = alice.api.get("/api/conversations/").json()

    assert (page["total"], page["pages"], len(page["conversations"])) == (61, 2, 50)
    assert page["conversations"][0]["id"] == newest
    assert len(alice.api.get("/api/conversations/?page=2").json()["conversations"]) == 11
    assert alice.api.get("/api/conversations/?page=x").status_code == 400


def test_a_second_question_waits_for_the_first_answer(alice: Person) -> None:
    first = begin(alice.api, "[[tokens 500 delay 20]]")
    url = f"/api/conversations/{first['conversation_id']}/messages/"

    response = alice.api.post(url, json={"message": "and?"})

    assert response.status_code == 409
    assert response.json()["code"] == "RUN_ACTIVE"
    alice.api.post(f"/api/runs/{first['run_id']}/cancellations/")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b'"text"',
        b"{}",
        b'{"message": ""}',
        b'{"message": "  \\n "}',
        b'{"message": 5}',
        b'{"message": null}',
        b'{"message": ["x"]}',
        b'{"message": "x", "conversation_id": "1"}',
        b'{"message": "x", "conversation_id": 1}',
        b'{"message": "x", "system_prompt": {}}',
        b'{"message": "x", "model_name": "gpt-99"}',
        b'{"message": "x", "approvals": "maybe"}',
        b"\xff\xfe",
        b"[" * 50_000,
        b'{"message": "' + b"x" * 100_001 + b'"}',
    ],
    ids=lambda body: body[:30].decode("latin-1"),
)
def test_bad_input_gets_a_sentence_and_stores_nothing(alice: Person, body: bytes) -> None:
    for url in ("/chat/stream", "/chat", "/api/conversations/"):
        response = alice.api.post(url, content=body, headers={"Content-Type": "application/json"})
        assert response.status_code == 400
        assert response.json()["code"] == "BAD_REQUEST"
        assert len(response.json()["message"]) > 10

    assert not Conversation.objects.filter(owner=alice.user).exists()


def test_a_body_that_is_too_large_is_refused(alice: Person) -> None:
    response = alice.api.post("/chat/stream", content=b'{"message": "' + b"x" * 2_000_000 + b'"}')

    assert response.status_code == 413
    assert response.json()["code"] == "TOO_LARGE"


def test_a_long_message_is_kept_as_it_was_written(alice: Person) -> None:
    text = "äöü \u2028 <b>& 😀 " * 6_000
    started = begin(alice.api, text + "[[text ok]]")

    read(alice.api, started["run_id"])

    whole = alice.api.get(f"/api/conversations/{started['conversation_id']}/").json()
    assert whole["messages"][0]["content"] == text + "[[text ok]]"


def test_wrong_methods_are_405(alice: Person) -> None:
    run_id = begin(alice.api, "[[text hi]]")["run_id"]
    for method, url in (
        ("GET", "/chat/stream"),
        ("GET", "/chat"),
        ("PUT", "/api/conversations/"),
        ("POST", f"/api/runs/{run_id}/"),
        ("DELETE", f"/api/runs/{run_id}/events/"),
        ("GET", f"/api/runs/{run_id}/cancellations/"),
    ):
        response = alice.api.request(method, url)
        assert response.status_code == 405, (method, url)
        assert response.headers["allow"]


def test_a_revoked_token_and_a_deactivated_person_are_refused(alice: Person) -> None:
    assert alice.api.get("/api/conversations/").status_code == 200

    alice.user.is_active = False
    alice.user.save()
    assert alice.api.get("/api/conversations/").status_code == 401
    assert alice.http.get("/api/conversations/").status_code == 401

    alice.user.is_active = True
    alice.user.save()
    ApiToken.objects.filter(owner=alice.user).update(revoked_at="2026-01-01T00:00Z")
    assert alice.api.get("/api/conversations/").status_code == 401


def test_a_session_needs_its_csrf_token(alice: Person) -> None:
    response = alice.http.post("/api/conversations/", json={"message": "hi"})

    assert response.status_code == 403
    assert response.json()["code"] == "CSRF"
    assert not Conversation.objects.filter(owner=alice.user).exists()


def test_limits_are_told_with_a_time(new_site: Callable[..., Site], alice: Person) -> None:
    small = new_site(MAX_ACTIVE_RUNS_PER_USER="2", MAX_RUN_STARTS_PER_MINUTE="3")
    with httpx.Client(base_url=small.url, headers=alice.headers, timeout=30) as api:
        runs = [begin(api, "[[tokens 900 delay 20]]")["run_id"] for _ in range(2)]
        refused = api.post("/api/conversations/", json={"message": "more"})
        for run_id in runs:
            api.post(f"/api/runs/{run_id}/cancellations/")
            wait_until(
                lambda run_id=run_id: (
                    api.get(f"/api/runs/{run_id}/").json()["status"] == "cancelled"
                )
            )
        ask(api, "[[text third]]")
        too_fast = api.post("/api/conversations/", json={"message": "fourth"})

    assert (refused.status_code, too_fast.status_code) == (429, 429)
    assert int(refused.headers["retry-after"]) > 0
    assert refused.json()["code"] == "QUOTA_EXCEEDED"


def test_health_says_how_it_is(site: Site) -> None:
    assert httpx.get(f"{site.url}/healthz").status_code == 200
    ready = httpx.get(f"{site.url}/readyz")
    assert ready.status_code == 200
    assert ready.json() == {"process": "ok", "database": "ok", "channel_layer": "ok"}
