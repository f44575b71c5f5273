"""Files of conversations that others wrote: what cannot be is refused in a sentence."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from chat.models import AgentRun, Conversation
from tests.people import Person

Json = dict[str, Any]
IMPORTS = "/api/conversations/imports/"


def question(text: str = "Hi") -> Json:
    return {"role": "user", "content": text, "created_at": "2026-01-01T00:00:00+00:00"}


def tool_run(call_id: str, **changed: Any) -> Json:
    return {
        **{"call_id": call_id, "tool": "t", "title": "", "server": "s", "arguments": {}},
        **{"invalid_arguments": "", "outcome": "ok", "result": "r", "bytes": 1, "duration_ms": 1},
        **{"started_at": None, "finished_at": None, "files": []},
        **changed,
    }


def answer(*tool_runs: Json, **changed: Any) -> Json:
    return {
        **{"role": "assistant", "content": "Yes", "created_at": "2026-01-01T00:00:01+00:00"},
        **{"model_name": "m", "status": "completed", "finish_reason": "stop", "error_code": ""},
        **{"error_message": "", "usage": {}, "started_at": None, "finished_at": None},
        "steps": [{"reasoning": "", "content": "Yes", "tool_runs": list(tool_runs)}],
        **changed,
    }


def document(*messages: Json, **changed: Any) -> Json:
    return {
        **{"format": "ferryline-conversation", "version": 1, "title": "T", "system_prompt": ""},
        **{"exported_at": "2026-01-01T00:00:00+00:00", "model_name": ""},
        "created_at": "2026-01-01T00:00:00+00:00",
        "messages": list(messages) or [question()],
        **changed,
    }


def nested(depth: int) -> Json:
    value: Json = {}
    for _ in range(depth):
        value = {"a": value}
    return value


MANY_STEPS = [
    {"reasoning": "", "content": "", "tool_runs": [tool_run(f"{n} {k}") for k in range(200)]}
    for n in range(10)
]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (document(version=3), "version"),
        (document(version="1"), "version"),
        (document(format="something"), "no conversation"),
        ([document()], "no conversation"),
        (document(title=5), "title"),
        (document(title="x" * 201), "title"),
        (document(extra=1), "not as it has to be"),
        ({k: v for k, v in document().items() if k != "title"}, "not as it has to be"),
        (document(created_at="yesterday"), "no time"),
        (document(created_at="2026-01-01T00:00:00"), "no time"),
        (document(messages=[]), "messages"),
        (document(*[question()] * 2001), "messages"),
        (document(answer()), "no question"),
        (document(question("")), "messages[0]"),
        (document({**question(), "role": "system"}), "messages[0]"),
        (document({**question(), "owner": 1}), "messages[0]"),
        (document(question(), answer(status="running")), "messages[1]"),
        (document(question(), answer(finish_reason="because")), "messages[1]"),
        (document(question(), answer(usage={"cost": "much"})), "messages[1]"),
        (document(question(), answer(tool_run("a"), tool_run("a"))), "call_id"),
        (document(question(), *[answer(steps=MANY_STEPS)] * 3), "5,000 tool runs"),
        (document(question(), answer(tool_run("a", outcome="running"))), "tool_runs[0]"),
        (document(question(), answer(tool_run("a", arguments=[]))), "tool_runs[0]"),
        (document(question(), answer(tool_run("a", duration_ms=-1))), "tool_runs[0]"),
        (document(question(), answer(tool_run("a", duration_ms=1 << 40))), "tool_runs[0]"),
        (document(question(), answer(tool_run("a", arguments=nested(60)))), "kept"),
        # To JSON Schema, 0.0 is an integer.
        (document({**question(), "parent": None}, version=2, current=0.0), "current"),
        (
            document(
                *({**question(), "parent": place} for place in (None, 0.0)), version=2, current=None
            ),
            "messages[1]",
        ),
    ],
)
def test_what_is_not_as_it_has_to_be_is_refused_in_a_sentence(
    alice: Person, body: Any, told: str
) -> None:
    refused = alice.api.post(IMPORTS, json=body)

    assert (refused.status_code, refused.json()["code"]) == (400, "BAD_REQUEST")
    assert told in refused.json()["message"]
    assert not Conversation.objects.filter(owner=alice.user).exists()


WITH_COST = json.dumps(document(question(), answer(usage={"cost": 0.25})))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"not json",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        *(WITH_COST.replace("0.25", number) for number in ("1e999", "NaN", "9" * 5000)),
    ],
    ids=range(8),
)
def test_what_is_no_json_is_refused_in_a_sentence(alice: Person, body: bytes | str) -> None:
    refused = alice.api.post(IMPORTS, content=body, headers={"Content-Type": "application/json"})

    assert refused.status_code == 400, refused.text
    assert len(refused.json()["message"]) > 10
    assert not Conversation.objects.filter(owner=alice.user).exists()


def test_a_file_that_is_too_large_is_refused(alice: Person) -> None:
    refused = alice.api.post(IMPORTS, content=b" " * (10 << 20) + b"{}")

    assert (refused.status_code, refused.json()["code"]) == (413, "TOO_LARGE")


def test_hostile_texts_and_times_are_kept_as_harmless_as_any(alice: Person) -> None:
    hostile = "<script>x</script>\x00\ud800"
    body = document(
        question(hostile),
        answer(
            tool_run("a", tool=hostile, result=hostile, arguments={hostile: hostile}),
            content=hostile,
            created_at="9999-12-31T23:59:59-14:00",
            started_at="0001-01-01T00:00:00+14:00",
        ),
        title=hostile,
    )

    taken = alice.api.post(IMPORTS, content=json.dumps(body))

    assert taken.status_code == 201, taken.text
    assert taken.json()["title"] == "<script>x</script>\ufffd\ufffd"
    page = alice.http.get(f"/c/{taken.json()['conversation_id']}/").text
    assert "<script>x" not in page
    run = AgentRun.objects.get(owner=alice.user)
    assert run.started_at
    assert run.started_at.year == 2000
    assert run.created_at <= run.conversation.created_at


@pytest.fixture
def form(alice: Person) -> Callable[[bytes], httpx.Response]:
    alice.http.get("/")
    token = alice.http.cookies["csrftoken"]

    def send(data: bytes) -> httpx.Response:
        headers = {"X-CSRFToken": token}
        return alice.http.post(
            "/archive/imports/", files={"file": ("chat.json", data)}, headers=headers
        )

    return send


def test_a_file_is_imported_with_the_form_of_the_page(
    alice: Person, form: Callable[[bytes], httpx.Response]
) -> None:
    taken = form(json.dumps(document(question("By form"), answer())).encode())
    assert taken.status_code == 303
    assert "By form" in alice.http.get(taken.headers["Location"]).text

    refused = form(b"nonsense")
    assert refused.status_code == 400
    assert "not JSON that can be kept" in refused.text
