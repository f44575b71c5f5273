"""Calls that a person must allow: nothing happens before, once at most after, all on record."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.utils import timezone

from chat.models import AgentRun, Approval, ToolRun
from chat.runs.tools.approvals import settle
from tests.locks import is_somebody_waiting
from tests.people import Person
from tests.servers.mcp_server import ScriptedMCPServer
from tests.servers.model_server import ScriptedModelServer
from tests.sse import ask, begin, read, wait_until
from tests.wire.approving import WIPE, decide, kinds, outcome, waiting

AT_ONCE = 20


@pytest.fixture(autouse=True)
def calls(mcp_server: ScriptedMCPServer) -> list[tuple[str, dict[str, Any]]]:
    """What was executed since the test began."""
    mcp_server.calls.clear()
    return mcp_server.calls


def test_allowed_it_is_called_once(alice: Person, calls: list[Any]) -> None:
    started, asked = waiting(alice)

    assert asked.data["tool"] == "wipe"
    assert asked.data["arguments"] == {"path": "/a"}
    run = alice.api.get(f"/api/runs/{started['run_id']}/").json()
    assert run["status"] == "awaiting_approval"
    assert ToolRun.objects.get(pk=asked.data["tool_run_id"]).state == "awaiting_approval"
    assert not calls

    response = decide(alice, asked, "allow")
    assert response.status_code == 200
    assert response.json() == {"tool_run_id": asked.data["tool_run_id"], "decision": "allow"}
    seen = read(alice.api, started["run_id"])

    told = [
        *["tool_calls", "approval_required", "approval_decided", "tool_executing", "tool_result"]
    ]
    assert kinds(seen) == told
    assert seen[2].data == {"id": asked.data["id"], "decision": "allowed", "by": "person"}
    assert outcome(seen) == ("ok", "/a is gone")
    assert calls == [("wipe", {"path": "/a", "force": False})]
    assert decide(alice, asked, "allow").status_code == 409
    row = ToolRun.objects.select_related("approval").get(pk=asked.data["tool_run_id"])
    assert (row.state, row.rule) == ("ok", "trusted server, destructive tool")
    assert (row.approval.state, row.approval.decided_by) == ("allowed", alice.user)
    assert row.approval.fingerprint == row.fingerprint != ""
    assert row.approval.arguments == row.arguments == {"path": "/a"}
    assert row.duration_ms is not None
    decided_at, started_at = row.approval.decided_at, row.started_at
    assert decided_at is not None
    assert started_at is not None
    assert decided_at <= started_at


def test_denied_the_model_reads_that_the_person_refused(
    alice: Person, calls: list[Any], model_server: ScriptedModelServer
) -> None:
    started, asked = waiting(alice)
    assert decide(alice, asked, "deny").status_code == 200
    seen = read(alice.api, started["run_id"])

    state, result = outcome(seen)
    assert state == "denied"
    assert "the person refused" in result.lower()
    assert "tool_executing" not in kinds(seen)
    assert seen[-1].data["content"] == "Done."
    assert not calls
    _, body = model_server.requests[-1]
    assert body["messages"][-1]["content"] == result
    assert Approval.objects.get(tool_run=asked.data["tool_run_id"]).decided_by == alice.user


def test_of_many_decisions_at_once_one_counts(alice: Person, calls: list[Any]) -> None:
    started, asked = waiting(alice)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        said = ["allow", "deny"] * (AT_ONCE // 2)
        answers = list(threads.map(lambda decision: decide(alice, asked, decision), said))

    codes = [answer.status_code for answer in answers]
    assert sorted(codes) == [200] + [409] * (AT_ONCE - 1)
    winner = said[codes.index(200)]
    state, _ = outcome(read(alice.api, started["run_id"]))
    assert (state, len(calls)) == (("ok", 1) if winner == "allow" else ("denied", 0))


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one write at a time")
def test_a_decision_that_waits_for_another_does_not_count(alice: Person) -> None:
    """As two processes make them: the second looks again once the first is stored."""
    started, asked = waiting(alice)
    pk = UUID(asked.data["tool_run_id"])
    with ThreadPoolExecutor(1) as thread, transaction.atomic():
        assert settle(pk, "denied")
        second = thread.submit(decide, alice, asked, "allow")
        wait_until(is_somebody_waiting, what="the second waits for the first")
    assert second.result().status_code == 409
    assert outcome(read(alice.api, started["run_id"]))[0] == "denied"


def test_only_its_owner_decides_and_only_in_words_it_knows(
    alice: Person, bob: Person, carol: Person, calls: list[Any]
) -> None:
    started, asked = waiting(alice)

    for other in (bob, carol):
        assert decide(other, asked, "allow").status_code == 404
    url = f"/api/tool-runs/{asked.data['tool_run_id']}/approvals/"
    for body in ({}, {"decision": "yes"}, {"decision": "allow", "remember": "for ever"}):
        assert alice.api.post(url, json=body).status_code == 400
    wrong = alice.api.post(url, json={"decision": "allow", "arguments": ["/b"]})
    assert wrong.status_code == 400
    assert "arguments" in wrong.json()["fields"]
    assert Approval.objects.get(tool_run=asked.data["tool_run_id"]).state == "open"

    assert alice.api.post(f"/api/runs/{started['run_id']}/cancellations/").status_code == 202
    assert outcome(read(alice.api, started["run_id"]))[0] == "cancelled"
    assert Approval.objects.get(tool_run=asked.data["tool_run_id"]).state == "cancelled"
    assert decide(alice, asked, "allow").status_code == 409
    assert not calls


def test_changed_arguments_are_what_is_called_and_both_are_on_record(
    alice: Person, calls: list[Any], model_server: ScriptedModelServer
) -> None:
    started, asked = waiting(alice)
    assert decide(alice, asked, "allow", arguments={"path": "/b"}).status_code == 200
    seen = read(alice.api, started["run_id"])

    assert calls == [("wipe", {"path": "/b", "force": False})]
    state, result = outcome(seen)
    assert (state, result.splitlines()[-1]) == ("ok", "/b is gone")
    assert '{"path": "/b"}' in result.splitlines()[0]
    _, body = model_server.requests[-1]
    assert '"/a"' in body["messages"][-2]["tool_calls"][0]["function"]["arguments"]
    row = ToolRun.objects.select_related("approval").get(pk=asked.data["tool_run_id"])
    assert row.arguments == row.approval.arguments == {"path": "/a"}
    assert row.approval.changed_arguments == {"path": "/b"}


def test_always_means_this_tool_in_this_conversation(alice: Person, calls: list[Any]) -> None:
    started, asked = waiting(alice)
    assert decide(alice, asked, "allow", remember="conversation").status_code == 200
    read(alice.api, started["run_id"])

    here = ask(alice.api, WIPE, conversation_id=started["conversation_id"])

    assert kinds(here) == ["tool_calls", "tool_executing", "tool_result"]
    assert len(calls) == 2
    newest = ToolRun.objects.filter(run__owner=alice.user).latest("created_at")
    assert newest.rule == "always allowed in this conversation"
    elsewhere, asked = waiting(alice)
    decide(alice, asked, "deny")
    read(alice.api, elsewhere["run_id"])
    # What was said of one definition is not said of another.
    Approval.objects.filter(remember=True).update(fingerprint="another")
    again, asked = waiting(alice, conversation_id=started["conversation_id"])
    decide(alice, asked, "deny")
    assert outcome(read(alice.api, again["run_id"]))[0] == "denied"


def test_where_nobody_is_there_to_be_asked_it_is_denied_at_once(
    alice: Person, calls: list[Any]
) -> None:
    seen = ask(alice.api, WIPE, approvals="deny")
    told = ["tool_calls", "approval_required", "approval_decided", "tool_result"]
    assert kinds(seen) == told
    assert seen[2].data["by"] == "request"
    assert outcome(seen)[0] == "denied"

    whole = alice.api.post("/chat", json={"message": WIPE})
    assert (whole.status_code, whole.json()["content"]) == (200, "Done.")
    assert not calls


def test_what_nobody_decides_in_time_is_denied(alice: Person, calls: list[Any]) -> None:
    started, asked = waiting(alice)
    approval = Approval.objects.filter(tool_run=asked.data["tool_run_id"])
    assert approval.get().expires_at - timezone.now() > timedelta(hours=23)

    # As time would do.
    approval.update(expires_at=timezone.now())
    assert decide(alice, asked, "allow").status_code == 409
    seen = read(alice.api, started["run_id"])

    assert outcome(seen) == ("denied", "Nobody allowed this call in time. It was not executed.")
    assert [f.data["by"] for f in seen if f.event == "approval_decided"] == ["expiry"]
    assert approval.get().state == "expired"
    assert not calls


def test_the_others_of_a_step_go_on(alice: Person, calls: list[Any]) -> None:
    both = '[[call wipe {"path": "/a"}]][[call echo {"text": "x"}]][[then]][[text Done.]]'
    started = begin(alice.api, both)
    seen = read(alice.api, started["run_id"], until=lambda f: f.event == "tool_result")
    assert seen[-1].data["tool"] == "echo"
    wait_until(lambda: Approval.objects.filter(tool_run__run=started["run_id"]).exists())
    assert AgentRun.objects.get(pk=started["run_id"]).status == "awaiting_approval"

    asked = next(
        f
        for f in read(alice.api, started["run_id"], until=lambda f: f.event == "approval_required")
        if f.event == "approval_required"
    )
    decide(alice, asked, "allow")
    assert read(alice.api, started["run_id"])[-1].event == "done"
    assert sorted(name for name, _ in calls) == ["echo", "wipe"]
