"""Stop means stop, and a crash loses nothing that was seen."""

from collections.abc import Callable

import httpx
import pytest

from chat.models import AgentRun, ToolRun
from tests.people import Person
from tests.servers.mcp_server import ScriptedMCPServer
from tests.servers.model_server import ScriptedModelServer
from tests.servers.site import Site
from tests.sse import begin, read, text_of, wait_until


def stop(alice: Person, run_id: str) -> httpx.Response:
    return alice.api.post(f"/api/runs/{run_id}/cancellations/")


def can_go_on(api: httpx.Client, conversation_id: str) -> bool:
    url = f"/api/conversations/{conversation_id}/messages/"
    started = api.post(url, json={"message": "[[text Going on.]]"}).json()
    return text_of(read(api, started["run_id"])).strip() == "Going on."


# Within a second, as is promised: where nothing else keeps the processors busy.
@pytest.mark.alone
def test_stop_during_text_closes_the_request_and_keeps_the_text(
    alice: Person, model_server: ScriptedModelServer
) -> None:
    started = begin(alice.api, "[[tokens 2000 delay 10]]")
    read(alice.api, started["run_id"], until=lambda frame: "t20 " in frame.data["content"])
    aborted = len(model_server.aborted)

    assert stop(alice, started["run_id"]).status_code == 202
    model_server.wait_for(lambda: len(model_server.aborted) > aborted, timeout=1)
    seen = read(alice.api, started["run_id"])

    assert seen[-1].event == "done"
    assert seen[-1].data["finish_reason"] == "cancelled"
    assert seen[-1].data["content"] == text_of(seen)
    assert 20 <= len(text_of(seen).split()) < 1000
    assert stop(alice, started["run_id"]).status_code == 200
    assert can_go_on(alice.api, started["conversation_id"])


@pytest.mark.alone
def test_stop_during_a_tool_cancels_the_tool(alice: Person, mcp_server: ScriptedMCPServer) -> None:
    cancelled = len(mcp_server.cancelled)
    started = begin(alice.api, 'Wait [[call slow {"seconds": 60, "steps": 600}]]')
    read(alice.api, started["run_id"], until=lambda frame: frame.event == "tool_progress")

    stop(alice, started["run_id"])
    wait_until(lambda: len(mcp_server.cancelled) > cancelled, 1, "the tool sees its cancellation")
    seen = read(alice.api, started["run_id"])

    results = [frame.data for frame in seen if frame.event == "tool_result"]
    assert [result["outcome"] for result in results] == ["cancelled"]
    assert seen[-1].data["finish_reason"] == "cancelled"
    assert ToolRun.objects.get(run_id=started["run_id"]).state == "cancelled"
    assert AgentRun.objects.get(pk=started["run_id"]).status == "cancelled"
    assert can_go_on(alice.api, started["conversation_id"])


def test_stop_at_once_still_ends_the_run(alice: Person) -> None:
    for _ in range(10):
        started = begin(alice.api, "[[tokens 2000 delay 10]]")
        stop(alice, started["run_id"])

        seen = read(alice.api, started["run_id"])

        assert seen[-1].data["finish_reason"] == "cancelled"
        assert [frame.id for frame in seen] == list(range(1, len(seen) + 1))


def test_stop_from_another_process_stops_it_too(
    alice: Person, new_site: Callable[..., Site]
) -> None:
    other = new_site()
    started = begin(alice.api, "[[tokens 2000 delay 10]]")
    with httpx.Client(base_url=other.url, headers=alice.headers, timeout=30) as there:
        seen_there = read(there, started["run_id"], until=lambda frame: frame.id > 3)
        there.post(f"/api/runs/{started['run_id']}/cancellations/")
        rest = read(there, started["run_id"], after=seen_there[-1].id)

    assert rest[-1].data["finish_reason"] == "cancelled"
    whole = read(alice.api, started["run_id"])
    assert [frame.raw for frame in whole] == [frame.raw for frame in seen_there + rest]
