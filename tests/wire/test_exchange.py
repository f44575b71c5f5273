"""Conversations as files: what is exported comes back, and nothing else gets in."""

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
