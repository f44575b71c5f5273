"""Conversations as files: what is exported comes back, and nothing else gets in."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from chat.models import AgentRun, Attachment, Conversation, ToolRun
from tests.people import Person
from tests.servers.mcp_server import ScriptedMCPServer
from tests.servers.model_server import ScriptedModelServer
from tests.sse import begin, read, text_of

Json = dict[str, Any]
IMPORTS = "/api/conversations/imports/"


def exported(person: Person, conversation_id: str, kind: str = "json") -> httpx.Response:
    response = person.api.get(f"/api/conversations/{conversation_id}/export/?format={kind}")
    assert response.status_code == 200, response.text
    return response


@pytest.fixture
def started(alice: Person) -> dict[str, str]:
    """A conversation with thinking, tools, a file, and an answer that failed."""
    call = '[[reason Hm.]][[text Let me see.]][[call echo {"text": "```äöü\\u0000"}]]'
    text = f"{call}[[call picture]][[then]][[text **Done.** 😀]][[usage 12 34]]"
    started = begin(alice.api, text, system_prompt="Be brief.")
    read(alice.api, started["run_id"])
    url = f"/api/conversations/{started['conversation_id']}/"
    failed = alice.api.post(f"{url}messages/", json={"message": "[[status 401]]"}).json()
    read(alice.api, failed["run_id"])
    alice.api.patch(url, json={"title": "Ships & sails"})
    return started


def without_times(document: Json) -> Json:
    """What two exports of the same have in common."""
    return {**document, "exported_at": "", "created_at": ""}


def test_what_is_exported_comes_back_as_somebody_elses_own(
    alice: Person, bob: Person, started: dict[str, str]
) -> None:
    document = exported(alice, started["conversation_id"]).json()

    taken = bob.api.post(IMPORTS, json=document)

    assert taken.status_code == 201, taken.text
    again = exported(bob, taken.json()["conversation_id"]).json()
    for message in document["messages"]:
        for step in message.get("steps", ()):
            for tool_run in step["tool_runs"]:
                # Files stay where they are.
                tool_run["files"] = []
    assert without_times(again) == without_times(document)
    assert again["title"] == "Ships & sails"
    roles = [message["role"] for message in again["messages"]]
    assert roles == ["user", "assistant", "user", "assistant"]
    assert [call["tool"] for call in again["messages"][1]["steps"][0]["tool_runs"]] == [
        *("echo", "picture")
    ]


def test_an_import_runs_nothing_and_says_so_in_the_log(
    bob: Person,
    alice: Person,
    started: dict[str, str],
    model_server: ScriptedModelServer,
    mcp_server: ScriptedMCPServer,
) -> None:
    document = exported(alice, started["conversation_id"]).json()
    asked = len(model_server.requests)

    taken = bob.api.post(IMPORTS, json=document).json()

    whole = bob.api.get(f"/api/conversations/{taken['conversation_id']}/").json()
    assert [run["status"] for run in whole["runs"]] == ["completed", "failed"]
    assert len(model_server.requests) == asked
    rows = ToolRun.objects.filter(run__owner=bob.user)
    assert {row.server_name for row in rows} == {"Tools (imported)"}
    assert {row.server_id for row in rows} == {None}
    assert not Attachment.objects.filter(run__owner=bob.user).exists()
    assert Conversation.objects.get(pk=taken["conversation_id"]).imported_at
    # Its runs did not start now: they count for no limit.
    times = AgentRun.objects.filter(owner=bob.user).values_list("created_at", flat=True)
    assert [moment.isoformat() for moment in sorted(times)] == [
        message["created_at"] for message in document["messages"] if message["role"] != "user"
    ]


def test_an_imported_conversation_is_shown_followed_searched_and_gone_on_with(
    alice: Person, started: dict[str, str]
) -> None:
    document = exported(alice, started["conversation_id"]).json()
    taken = alice.api.post(IMPORTS, json=document | {"title": "Taken along"}).json()
    url = f"/api/conversations/{taken['conversation_id']}/"

    page = alice.http.get(f"/c/{taken['conversation_id']}/").text
    for tool_run in document["messages"][1]["steps"][0]["tool_runs"]:
        assert f'data-tool-run="{tool_run["call_id"]}"' in page
    assert "<strong>Done.</strong>" in page
    run = alice.api.get(url).json()["runs"][0]
    (frame,) = read(alice.api, run["id"])
    assert (frame.event, frame.data["content"]) == ("done", "**Done.** 😀")
    hits = alice.api.get("/api/search/?q=taken along").json()["hits"]
    assert [hit["conversation"]["id"] for hit in hits] == [taken["conversation_id"]]
    # The scripted model refuses a history in which calls and results do not match.
    asked = alice.api.post(f"{url}messages/", json={"message": "[[text Going on.]]"}).json()
    assert text_of(read(alice.api, asked["run_id"])).strip() == "Going on."


def test_markdown_holds_all_that_was_said_and_done(alice: Person, started: dict[str, str]) -> None:
    response = exported(alice, started["conversation_id"], "markdown")

    assert response.headers["Content-Type"] == "text/markdown; charset=utf-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="ships-sails.md"'
    text = response.text
    assert text.startswith("# Ships & sails\n\n## You, ")
    assert "Let me see.\n\n**Tool run: " in text
    # The fence is longer than the one in the result.
    assert "\n````\n```äöü\ufffd\n````\n" in text
    assert "\n\n**Done.** 😀\n" in text
    assert "File: " in text
    assert ", failed\n\n> " in text


def test_an_unknown_form_of_export_is_refused(alice: Person, started: dict[str, str]) -> None:
    url = f"/api/conversations/{started['conversation_id']}/export/"

    assert alice.api.get(f"{url}?format=pdf").status_code == 400


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


def test_branches_come_back_and_older_files_have_one(alice: Person, bob: Person) -> None:
    started = begin(alice.api, "[[text one]]")
    read(alice.api, started["run_id"])
    url = f"/api/conversations/{started['conversation_id']}/"
    first = alice.api.get(url).json()["messages"][0]["id"]
    for body in ({"message": "[[text two]]", "replaces": first}, {"regenerates": first}):
        run_id = alice.api.post(f"{url}messages/", json=body).json()["run_id"]
        read(alice.api, run_id)
    document = exported(alice, started["conversation_id"]).json()
    assert [message["parent"] for message in document["messages"]] == [None, 0, None, 2, 0]
    assert document["current"] == 0

    taken = bob.api.post(IMPORTS, json=document).json()["conversation_id"]

    assert without_times(exported(bob, taken).json()) == without_times(document)
    assert "two" not in exported(bob, taken, "markdown").text
    whole = bob.api.get(f"/api/conversations/{taken}/").json()
    assert whole["current_message_id"] == whole["messages"][-1]["id"]

    old = {name: value for name, value in document.items() if name != "current"} | {"version": 1}
    for message in old["messages"]:
        del message["parent"]
    taken = bob.api.post(IMPORTS, json=old).json()["conversation_id"]
    again = exported(bob, taken).json()["messages"]
    assert [message["parent"] for message in again] == [None, 0, 1, 2, 2]


@pytest.mark.parametrize(("place", "parent"), [(1, None), (1, 1), (0, 0), (2, 2), (1, 99), (3, 1)])
def test_a_tree_that_is_none_is_refused(place: int, parent: int | None, alice: Person) -> None:
    started = begin(alice.api, "[[text one]]")
    read(alice.api, started["run_id"])
    url = f"/api/conversations/{started['conversation_id']}/messages/"
    read(alice.api, alice.api.post(url, json={"message": "[[text two]]"}).json()["run_id"])
    document = exported(alice, started["conversation_id"]).json()
    document["messages"][place]["parent"] = parent

    assert alice.api.post(IMPORTS, json=document).status_code == 400
