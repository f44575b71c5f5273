"""Conversations over the API: renamed, pinned, archived, deleted and brought back."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import httpx
import pytest
from django.urls import resolve
from django.utils import timezone

from chat.models import AgentRun, Attachment, Conversation, Message, RunEvent, ToolRun
from chat.runs.engine import engine
from chat.runs.pool import in_pool
from chat.runs.upkeep.erasing import erase_deleted
from tests.people import Person
from tests.sse import begin, read, wait_until
from tests.wire.test_sidebar_socket import connect

Json = dict[str, Any]


def start(person: Person, text: str = "[[text Hello.]]") -> str:
    """The address of a conversation with one answer."""
    started = begin(person.api, text)
    read(person.api, started["run_id"])
    return f"/api/conversations/{started['conversation_id']}/"


def listed(person: Person, query: str = "") -> list[str]:
    conversations = person.api.get(f"/api/conversations/{query}").json()["conversations"]
    return [f"/api/conversations/{conversation['id']}/" for conversation in conversations]


def test_a_person_gives_a_conversation_its_title(alice: Person) -> None:
    url = start(alice)
    before = alice.api.get(url).json()
    assert before["title_source"] == "words"

    changed = alice.api.patch(url, json={"title": "  Ships\n and\x00 sails "})

    assert changed.status_code == 200
    assert changed.json()["title"] == "Ships and\ufffd sails"
    after = alice.api.get(url).json()
    assert (after["title"], after["title_source"]) == ("Ships and\ufffd sails", "person")
    # It does not move in the list for that.
    assert after["updated_at"] == before["updated_at"]


def test_archived_ones_are_listed_apart_and_come_back_when_asked_in(alice: Person) -> None:
    url, other = start(alice), start(alice)

    alice.api.patch(url, json={"is_archived": True, "is_pinned": True})

    assert listed(alice) == [other]
    assert listed(alice, "?archived=1") == [url]
    whole = alice.api.get(url).json()
    assert (whole["is_archived"], whole["is_pinned"]) == (True, True)

    run_id = alice.api.post(f"{url}messages/", json={"message": "[[text yes]]"}).json()["run_id"]
    read(alice.api, run_id)
    assert listed(alice) == [url, other]


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        "[]",
        "nonsense",
        '{"title": ""}',
        '{"title": " \\n"}',
        '{"title": 5}',
        '{"title": null}',
        '{"is_pinned": 1}',
        '{"is_archived": "yes"}',
        '{"owner": 1}',
        '{"title": "x", "deleted_at": null}',
        json.dumps({"title": "x" * 201}),
    ],
)
def test_what_cannot_be_changed_so_is_told_and_changes_nothing(alice: Person, body: str) -> None:
    url = start(alice)
    before = alice.api.get(url).json()

    refused = alice.api.patch(url, content=body)

    assert (refused.status_code, refused.json()["code"]) == (400, "BAD_REQUEST")
    assert len(refused.json()["message"]) > 10
    assert alice.api.get(url).json() == before


def test_what_is_deleted_is_there_for_nobody(alice: Person, carol: Person) -> None:
    started = begin(alice.api, "[[call picture]][[then]][[text A picture.]]")
    url, run_id = f"/api/conversations/{started['conversation_id']}/", started["run_id"]
    frames = read(alice.api, run_id)
    files = next(frame for frame in frames if frame.event == "tool_result").data["attachments"]

    assert alice.api.delete(url).json()["id"] == started["conversation_id"]

    page = f"/c/{started['conversation_id']}/"
    for gone in (url, page, f"/runs/{run_id}/", f"/api/runs/{run_id}/", files[0]["url"]):
        assert alice.http.get(gone).status_code == 404, gone
    assert alice.api.get(f"/api/runs/{run_id}/events/").status_code == 404
    assert carol.http.get(files[0]["url"]).status_code == 404
    for body in ({"message": "hi"}, {"title": "hi"}):
        assert alice.api.post(f"{url}messages/", json=body).status_code in {400, 404}
        assert alice.api.patch(url, json=body).status_code == 404
    assert alice.api.delete(url).status_code == 404
    assert listed(alice) == listed(alice, "?archived=1") == []
    assert alice.api.get("/api/search/?q=picture").json()["hits"] == []


def test_a_deletion_is_undone_by_its_owner_only(alice: Person, bob: Person) -> None:
    url = start(alice)
    before = alice.api.get(url).json()
    alice.api.delete(url)

    assert bob.api.post(f"{url}restorations/").status_code == 404
    assert alice.api.get(url).status_code == 404

    restored = alice.api.post(f"{url}restorations/")
    assert (restored.status_code, restored.json()["title"]) == (200, before["title"])
    assert alice.api.get(url).json() == before
    assert alice.api.post(f"{url}restorations/").status_code == 200


def test_a_running_one_is_renamed_and_pinned_and_stopped_when_deleted(alice: Person) -> None:
    started = begin(alice.api, "[[tokens 900 delay 20]]")
    url = f"/api/conversations/{started['conversation_id']}/"

    read(alice.api, started["run_id"], until=lambda frame: "t2" in frame.data["content"])

    renamed = alice.api.patch(url, json={"title": "While it runs", "is_pinned": True})
    assert renamed.json()["title"] == "While it runs"
    assert alice.api.get(f"/api/runs/{started['run_id']}/").json()["status"] == "running"

    alice.api.delete(url)
    run = AgentRun.objects.filter(pk=started["run_id"], status="cancelled")
    wait_until(run.exists, what="the run is stopped")
    alice.api.post(f"{url}restorations/")
    assert "t1 t2" in alice.api.get(url).json()["messages"][1]["content"]


def test_a_repeated_key_does_not_lead_to_what_was_deleted(alice: Person) -> None:
    headers, body = {"Idempotency-Key": "once"}, {"message": "[[text hi]]"}
    first = alice.api.post("/api/conversations/", json=body, headers=headers).json()
    alice.api.delete(f"/api/conversations/{first['conversation_id']}/")

    again = alice.api.post("/api/conversations/", json=body, headers=headers)

    assert again.status_code == 404


@pytest.fixture
async def closing() -> AsyncIterator[None]:
    yield
    await engine().aclose()


async def test_an_hour_later_nothing_is_left_of_it(alice: Person, closing: None) -> None:
    def have() -> tuple[str, Attachment]:
        run_id = begin(alice.api, "[[call picture]][[then]][[text Done.]]")["run_id"]
        frames = read(alice.api, run_id)
        (file,) = next(f for f in frames if f.event == "tool_result").data["attachments"]
        return run_id, Attachment.objects.get(pk=resolve(file["url"]).kwargs["pk"])

    def counts() -> list[int]:
        of_run = [Attachment, RunEvent, ToolRun]
        rows = [model.objects.filter(run=run_id).count() for model in of_run]
        messages = Message.objects.filter(conversation=conversation)
        return [*rows, messages.count(), Conversation.objects.filter(pk=conversation.pk).count()]

    run_id, attachment = await in_pool(have)
    run = await in_pool(AgentRun.objects.select_related("conversation").get, pk=run_id)
    conversation = run.conversation
    url = f"/api/conversations/{conversation.pk}/"
    await asyncio.to_thread(alice.api.delete, url)

    await erase_deleted()
    assert 0 not in await in_pool(counts)
    assert attachment.file.storage.exists(attachment.file.name)

    deleted = Conversation.objects.filter(pk=conversation.pk)
    await in_pool(deleted.update, deleted_at=timezone.now() - timedelta(hours=1, seconds=90))
    assert (await asyncio.to_thread(alice.api.post, f"{url}restorations/")).status_code == 404
    await erase_deleted()
    assert await in_pool(counts) == [0, 0, 0, 0, 0]
    assert not attachment.file.storage.exists(attachment.file.name)


async def test_other_tabs_hear_of_every_change(alice: Person, bob: Person) -> None:
    url = await asyncio.to_thread(start, alice)
    async with aiohttp.ClientSession() as session:
        hers = await connect(session, alice, alice.session_cookie)

        def change() -> None:
            assert bob.api.delete(url).status_code == 404
            alice.api.patch(url, json={"title": "Another"})
            alice.api.delete(url)
            alice.api.post(f"{url}restorations/")

        await asyncio.to_thread(change)
        heard = [json.loads(await hers.receive_str(timeout=5)) for _ in range(3)]

    assert [message["state"] for message in heard] == ["changed", "deleted", "restored"]
    assert {message["title"] for message in heard} == {"Another"}
    assert {message["type"] for message in heard} == {"conversation"}


def test_a_session_needs_its_csrf_token_to_change_or_delete(alice: Person) -> None:
    url = start(alice)
    request: httpx.Response
    for request in (alice.http.patch(url, json={"title": "x"}), alice.http.delete(url)):
        assert (request.status_code, request.json()["code"]) == (403, "CSRF")

    assert alice.api.get(url).json()["title"] == "[[text Hello.]]"
