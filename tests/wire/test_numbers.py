"""1e999 is a number in JSON that Python reads as infinity, which no JSON and no database holds."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chat.models import MCPServer
from tests.people import Person
from tests.servers.bare_mcp_server import BareMCPServer
from tests.sse import ask, begin, read

SAYS = {"name": "says", "inputSchema": {"type": "object"}}
PROGRESS = (
    '{"jsonrpc": "2.0", "method": "notifications/progress", '
    '"params": {"progressToken": TOKEN, "progress": 1e999, "total": -1e999}}'
)
FORM = (
    '{"jsonrpc": "2.0", "id": 99, "method": "elicitation/create", "params": {"mode": "form", '
    '"message": "How much?", "requestedSchema": {"type": "object", "properties": '
    '{"price": {"type": "number", "maximum": 1e999}}}}}'
)
Add = Callable[..., MCPServer]


@pytest.fixture
def bare() -> Iterator[BareMCPServer]:
    with BareMCPServer([SAYS]) as running:
        yield running


def test_a_report_of_progress_is_left_out(alice: Person, add_server: Add, bare: Any) -> None:
    add_server(alice, bare.url, slug="bare")
    bare.first = PROGRESS

    seen = ask(alice.api, "[[call says {}]][[then]][[text Done.]]")

    assert not [frame for frame in seen if frame.event == "tool_progress"]
    assert "Infinity" not in "".join(frame.raw for frame in seen)
    assert seen[-1].event == "done"


def test_a_form_that_cannot_be_stored_is_cancelled_and_the_call_goes_on(
    alice: Person, add_server: Add, bare: Any
) -> None:
    add_server(alice, bare.url, slug="bare")
    bare.first = FORM

    seen = ask(alice.api, "[[call says {}]][[then]][[text Done.]]")

    assert [answer["result"]["action"] for answer in bare.answers] == ["cancel"]
    assert next(frame.data["result"] for frame in seen if frame.event == "tool_result") == "fine"
    assert seen[-1].event == "done"


def test_an_answer_to_a_form_is_refused_in_a_sentence(
    alice: Person, add_server: Add, bare: Any
) -> None:
    add_server(alice, bare.url, slug="bare")
    bare.first = FORM.replace(', "maximum": 1e999', "")
    run_id = begin(alice.api, "[[call says {}]][[then]][[text Done.]]")["run_id"]
    seen = read(alice.api, run_id, until=lambda frame: frame.event == "input_required")
    url = f"/api/inputs/{seen[-1].data['id']}/answers/"
    body = '{"action": "accept", "content": {"price": %s}}'
    headers = {"Content-Type": "application/json"}

    refused = alice.api.post(url, content=body % "1e999", headers=headers)
    taken = alice.api.post(url, content=body % "1e9", headers=headers)

    assert (refused.status_code, refused.json()["code"]) == (400, "BAD_REQUEST")
    assert taken.status_code == 200
    assert read(alice.api, run_id)[-1].event == "done"
    assert [answer["result"]["content"] for answer in bare.answers] == [{"price": 1e9}]
