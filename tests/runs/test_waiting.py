"""A call that waits for a person needs no process: it survives all of them, and is made once."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import httpx
import pytest
from django.conf import settings
from django.db import transaction

from chat.models import AgentRun, Approval, MCPServer, RunEvent, ToolRun
from chat.runs.recovery import MAX_TAKEOVERS, ending_of, take_over
from tests.people import Person
from tests.servers.mcp_server import ScriptedMCPServer
from tests.servers.site import Site
from tests.sse import begin, read, wait_until
from tests.wire.approving import rule

WIPE = '[[call wipe {"path": "/a"}]][[then]][[text Done.]]'
ASKED = "approval_required"
RESTARTS = 3
LONG_AGO = "2020-01-01T00:00:00Z"


def heartbeat_stopped(run_id: str) -> None:
    """As 15 s without a process would do."""
    AgentRun.objects.filter(pk=run_id).update(heartbeat_at=LONG_AGO)


def lease(run_id: str) -> int:
    return AgentRun.objects.get(pk=run_id).lease


def is_taken_over(run_id: str, before: int) -> bool:
    """Its process may have moved its heartbeat since it was stopped last; the next one's is let
    alone.
    """
    theirs = AgentRun.objects.filter(pk=run_id, lease=before)
    return not theirs.update(heartbeat_at=LONG_AGO)


def waits(site: Site, person: Person, question: str = WIPE, until: str = ASKED) -> str:
    """The id of a run on that site that waits for an approval, or has come to `until`."""
    with httpx.Client(base_url=site.url, headers=person.headers, timeout=30) as api:
        run_id = begin(api, question)["run_id"]
        read(api, run_id, until=lambda frame: frame.event == until)
    return run_id


def decide(person: Person, run_id: str, decision: str) -> int:
    tool_run = ToolRun.objects.get(run=run_id)
    url = f"/api/tool-runs/{tool_run.pk}/approvals/"
    return person.api.post(url, json={"decision": decision}).status_code


def check(person: Person, run_id: str, server: ScriptedMCPServer) -> None:
    """Allowed, it is executed exactly once; the record is whole."""
    assert decide(person, run_id, "allow") == 200
    seen = read(person.api, run_id)
    assert [frame.id for frame in seen] == list(range(1, len(seen) + 1))
    told = [frame.event for frame in seen if frame.event != "content"]
    asked = ["tool_calls", "approval_required", "approval_decided"]
    assert told == [*asked, "tool_executing", "tool_result", "done"]
    assert server.calls == [("wipe", {"path": "/a", "force": False})]
    run = AgentRun.objects.get(pk=run_id)
    assert (run.status, run.takeovers) == ("completed", 0)


@pytest.mark.slow
@pytest.mark.parametrize("recovery", ["continue", "interrupt"])
def test_it_survives_kill_and_restarts_and_is_called_once(
    alice: Person,
    new_site: Callable[..., Site],
    mcp_server: ScriptedMCPServer,
    recovery: str,
) -> None:
    mcp_server.calls.clear()
    doomed = new_site(RUN_RECOVERY=recovery)
    run_id = waits(doomed, alice)

    for _ in range(RESTARTS):
        before = lease(run_id)
        doomed.kill()
        doomed = new_site(RUN_RECOVERY=recovery)
        # Whoever takes it over, this process or the one that all tests share, waits on.
        wait_until(partial(is_taken_over, run_id, before), what="it is taken over")
        assert AgentRun.objects.get(pk=run_id).status == "awaiting_approval"

    assert RunEvent.objects.filter(run=run_id, kind="approval_required").count() == 1
    assert not mcp_server.calls
    check(alice, run_id, mcp_server)


@pytest.mark.slow
def test_decided_while_no_process_has_it_is_called_once(
    alice: Person, new_site: Callable[..., Site], mcp_server: ScriptedMCPServer
) -> None:
    mcp_server.calls.clear()
    doomed = new_site()
    run_id = waits(doomed, alice)
    doomed.kill()

    # By another process, which does not have the run.
    assert decide(alice, run_id, "deny") == 200
    assert decide(alice, run_id, "allow") == 409
    heartbeat_stopped(run_id)

    seen = read(alice.api, run_id)
    assert [f.data["outcome"] for f in seen if f.event == "tool_result"] == ["denied"]
    assert seen[-1].event == "done"
    assert not mcp_server.calls


@pytest.mark.slow
@pytest.mark.parametrize("begun", ["", "[[tokens 50 delay 20]]"])
def test_a_process_that_is_asked_to_stop_does_not_wait_for_a_person(
    alice: Person, new_site: Callable[..., Site], mcp_server: ScriptedMCPServer, begun: str
) -> None:
    """Also where the person is only asked by then."""
    mcp_server.calls.clear()
    leaving = new_site(DRAIN_SECONDS="60")
    run_id = waits(leaving, alice, f"{begun}{WIPE}", until="content" if begun else ASKED)

    # Within its bound, far below DRAIN_SECONDS.
    leaving.stop()

    wait_until(lambda: lease(run_id) > 2, what="it is taken over")
    check(alice, run_id, mcp_server)


@pytest.mark.slow
def test_its_server_may_be_away_when_it_is_taken_over(
    alice: Person, new_site: Callable[..., Site], add_server: Callable[..., MCPServer]
) -> None:
    doomed = new_site()
    with ScriptedMCPServer() as server:
        far = add_server(alice, server.url, slug="far")
        question = WIPE.replace("wipe", "far_wipe")
        early, late = (waits(doomed, alice, question) for _ in range(2))
        server.stop()
        doomed.kill()
        for run_id in (early, late):
            heartbeat_stopped(run_id)
            wait_until(lambda run_id=run_id: lease(run_id) > 1, what="it is taken over")

        # What a person said counts, and is told, whether the server is there or not.
        allow(alice, ToolRun.objects.get(run=early), arguments={"path": "/b"})
        (result,) = [f.data for f in read(alice.api, early) if f.event == "tool_result"]
        assert result["outcome"] == "tool_error"
        changed, reason = result["result"].splitlines()
        assert '{"path": "/b"}' in changed
        assert reason.startswith(f"{far.name} cannot be reached")
        assert AgentRun.objects.get(pk=late).status == "awaiting_approval"

        server.start()
        allow(alice, ToolRun.objects.get(run=late))
        assert read(alice.api, late)[-1].event == "done"
        assert server.calls == [("wipe", {"path": "/a", "force": False})]


def allow(person: Person, tool_run: ToolRun, **more: Any) -> None:
    url = f"/api/tool-runs/{tool_run.pk}/approvals/"
    assert person.api.post(url, json={"decision": "allow", **more}).status_code == 200


@pytest.mark.slow
def test_what_was_said_counts_whatever_the_rules_say_by_then(
    alice: Person, new_site: Callable[..., Site], mcp_server: ScriptedMCPServer
) -> None:
    """Allowed for good by its neighbour, or by a new rule: what is denied stays that."""
    mcp_server.calls.clear()
    doomed = new_site()
    paths = ["/always", "/denied", "/changed"]
    wipes = "".join(f'[[call wipe {{"path": "{path}"}}]]' for path in paths)
    with httpx.Client(base_url=doomed.url, headers=alice.headers, timeout=30) as api:
        run_id = begin(api, f"{wipes}[[then]][[text Done.]]")["run_id"]
    asked = Approval.objects.filter(tool_run__run=run_id)
    wait_until(lambda: asked.count() == len(paths), what="all are asked about")
    doomed.kill()

    always, denied, changed = (ToolRun.objects.get(run=run_id, arguments__path=p) for p in paths)
    allow(alice, always, remember="conversation")
    url = f"/api/tool-runs/{denied.pk}/approvals/"
    assert alice.api.post(url, json={"decision": "deny"}).status_code == 200
    allow(alice, changed, arguments={"path": "/other"})
    with rule(alice, decision="allow", tool="wipe"):
        heartbeat_stopped(run_id)
        assert read(alice.api, run_id)[-1].event == "done"

    assert sorted(arguments["path"] for _, arguments in mcp_server.calls) == ["/always", "/other"]
    denied.refresh_from_db()
    assert denied.state == "denied"


@pytest.mark.slow
def test_a_run_that_waits_no_more_is_running(
    alice: Person,
    new_site: Callable[..., Site],
    add_server: Callable[..., MCPServer],
) -> None:
    """Else its process could die on it for ever, uncounted."""
    with ScriptedMCPServer() as other:
        row = add_server(alice, other.url, slug="gone", is_trusted=False)
        doomed = new_site()
        with httpx.Client(base_url=doomed.url, headers=alice.headers, timeout=30) as api:
            question = '[[call gone_echo {"text": "x"}]][[then]][[tokens 400 delay 10]]'
            run_id = begin(api, question)["run_id"]
            read(api, run_id, until=lambda frame: frame.event == "approval_required")
        doomed.kill()
        MCPServer.objects.filter(pk=row.pk).update(is_enabled=False)
        heartbeat_stopped(run_id)
        seen = read(alice.api, run_id, until=lambda frame: frame.event == "content")

    assert AgentRun.objects.get(pk=run_id).status == "running"
    assert [f.data["outcome"] for f in seen if f.event == "tool_result"] == ["blocked"]
    assert Approval.objects.get(tool_run__run=run_id).state == "cancelled"
    alice.api.post(f"/api/runs/{run_id}/cancellations/")


@pytest.mark.slow
def test_what_goes_on_beside_a_call_that_waits_may_be_a_death(
    alice: Person, new_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    doomed = new_site()
    with httpx.Client(base_url=doomed.url, headers=alice.headers, timeout=30) as api:
        question = '[[call wipe {"path": "/a"}]][[call hang {}]][[then]][[text Done.]]'
        run_id = begin(api, question)["run_id"]
    both = ToolRun.objects.filter(run=run_id, state__in=["awaiting_approval", "running"])
    wait_until(lambda: both.count() == 2, what="one waits, one runs")
    doomed.kill()

    assert take_over(UUID(run_id), lease(run_id)) is None, "its heart beat a moment ago"
    with transaction.atomic():
        heartbeat_stopped(run_id)
        # No other process sees it before it is ours.
        taken = take_over(UUID(run_id), lease(run_id))
    assert taken
    run, steps = taken
    assert (run.status, run.takeovers) == ("awaiting_approval", 1)
    assert ending_of(run, steps) is None
    run.takeovers = MAX_TAKEOVERS + 1
    assert ending_of(run, steps)
    run.takeovers = 1
    monkeypatch.setattr(settings, "RUN_RECOVERY", "interrupt")
    assert ending_of(run, steps)

    heartbeat_stopped(run_id)
    url = f"/api/tool-runs/{ToolRun.objects.get(run=run_id, tool='wipe').pk}/approvals/"
    assert alice.api.post(url, json={"decision": "deny"}).status_code == 200
    outcomes = [f.data["outcome"] for f in read(alice.api, run_id) if f.event == "tool_result"]
    assert sorted(outcomes) == ["denied", "lost"]


@pytest.mark.slow
def test_what_is_to_stop_cannot_be_allowed_any_more(
    alice: Person, new_site: Callable[..., Site]
) -> None:
    doomed = new_site()
    run_id = waits(doomed, alice)
    doomed.kill()

    assert alice.api.post(f"/api/runs/{run_id}/cancellations/").status_code == 202
    assert decide(alice, run_id, "allow") == 409

    heartbeat_stopped(run_id)
    assert read(alice.api, run_id)[-1].data["finish_reason"] == "cancelled"
    assert Approval.objects.get(tool_run__run=run_id).state == "cancelled"
