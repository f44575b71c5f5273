"""Every way a tool call can end is in the ledger, with a complete row and a page that shows it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from django.utils.html import escape

from chat.models import MCPServer, ToolRun, ToolRunState
from tests.faults.proxy import Proxy
from tests.people import Person
from tests.servers.mcp_server import ScriptedMCPServer
from tests.sse import begin, read

ENDED = set(ToolRunState) - {
    *(ToolRunState.REQUESTED, ToolRunState.AWAITING_APPROVAL, ToolRunState.RUNNING)
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """A call that ends so, once `meanwhile` has happened to it; what its row says then."""

    call: str
    arguments: dict[str, object]
    result: str
    meanwhile: str = ""
    is_known: bool = True
    has_started: bool = True


WAYS = {
    "ok": Way(call="main_echo", arguments={"text": "hello"}, result="hello"),
    "tool_error": Way(call="main_fail", arguments={"text": "No luck."}, result="No luck."),
    "timeout": Way(call="far_hang", arguments={}, result="did not answer"),
    "lost": Way(
        call="far_slow", arguments={"seconds": 60, "steps": 600}, result="", meanwhile="cut"
    ),
    "cancelled": Way(
        call="main_slow",
        arguments={"seconds": 60, "steps": 600},
        result="cancelled",
        meanwhile="stop",
    ),
    "denied": Way(
        call="main_wipe",
        arguments={"path": "/a"},
        result="refused",
        meanwhile="deny",
        has_started=False,
    ),
    "blocked": Way(
        call="nobody_offers_this",
        arguments={"a": 1},
        result="There is no tool named",
        is_known=False,
        has_started=False,
    ),
}


@pytest.fixture(scope="module")
def far() -> Iterator[Proxy]:
    """A tool server that the network can part from us."""
    with ScriptedMCPServer("far") as server, Proxy(server.port) as proxy:
        yield proxy


def test_no_way_to_end_is_forgotten() -> None:
    assert set(WAYS) == set(ENDED)


@pytest.mark.parametrize("outcome", WAYS)
def test_the_ledger_has_a_complete_row(
    outcome: str,
    alice: Person,
    carol: Person,
    far: Proxy,
    add_server: Callable[..., MCPServer],
) -> None:
    url = f"http://127.0.0.1:{far.port}/mcp"
    add_server(alice, url, slug="far", timeout_seconds=1, is_trusted=True)
    way = WAYS[outcome]

    row = ended(alice, way, far)

    assert row.state == outcome
    assert (row.owner, row.iteration, row.tool) == (alice.user, 1, way.call)
    assert row.arguments == way.arguments
    assert way.result in row.result
    assert row.result
    assert row.result_bytes == len(row.result.encode())
    assert bool(row.fingerprint) == bool(row.server) == bool(row.server_name) == way.is_known
    assert row.usage == {"input_tokens": 12, "output_tokens": 34, "cost": 0.05}
    assert row.finished_at
    assert row.duration_ms is not None
    assert row.created_at <= (row.started_at or row.created_at) <= row.finished_at
    assert bool(row.started_at) == way.has_started
    shows(carol, row)


def ended(alice: Person, way: Way, far: Proxy) -> ToolRun:
    """The row of the call, asked for, and ended as it should be."""
    arguments = str(way.arguments).replace("'", '"')
    question = f"[[usage 12 34 0.05]][[call {way.call} {arguments}]][[then]][[text Well.]]"
    run_id = begin(alice.api, question)["run_id"]
    awaited = {"deny": "approval_required", "cut": "tool_progress", "stop": "tool_progress"}
    if way.meanwhile:
        read(alice.api, run_id, until=lambda frame: frame.event == awaited[way.meanwhile])
    row = ToolRun.objects.filter(run_id=run_id)
    match way.meanwhile:
        case "deny":
            decision = {"decision": "deny"}
            answer = alice.api.post(f"/api/tool-runs/{row.get().pk}/approvals/", json=decision)
            assert answer.status_code == 200
        case "cut":
            far.cut()
        case "stop":
            assert alice.api.post(f"/api/runs/{run_id}/cancellations/").status_code == 202
    assert read(alice.api, run_id)[-1].event == "done"
    return row.get()


def shows(carol: Person, row: ToolRun) -> None:
    """The list and the page of the call say the same."""
    listed = carol.http.get("/admin/chat/toolrun/", params={"q": row.call_id, "outcome": row.state})
    assert str(row.pk) in listed.text
    page = carol.http.get(f"/admin/chat/toolrun/{row.pk}/change/").text
    told = [row.get_state_display(), row.tool, row.server_name, row.owner.username, row.call_id]
    told += [row.fingerprint, row.rule, row.run.model_name, "$0.05", "Step 1", *row.arguments]
    told += [row.result[:200], f"{row.finished_at:%H:%M:%S}", str(row.run_id)]
    assert [text for text in told if escape(text) not in page] == []
