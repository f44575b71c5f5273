"""Questions of MCP servers to people, over the wire and by the page's form."""

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.utils import timezone

from chat.models import InputRequest, MCPServer, ToolRun
from tests.people import Person
from tests.servers.asking_mcp_server import AskingMCPServer
from tests.servers.site import Site
from tests.sse import Frame, begin, read, wait_until

BOOK = 'Book [[call book {"day": "Friday"}]][[then]][[text Done.]]'
ALICE = {"name": "Alice", "seats": 2, "meal": "fish", "window": True}


@pytest.fixture(scope="module")
def asking() -> Iterator[AskingMCPServer]:
    with AskingMCPServer() as running:
        yield running


@pytest.fixture
def owner(alice: Person, add_server: Callable[..., MCPServer], asking: AskingMCPServer) -> Person:
    """Alice, with a server that asks."""
    add_server(alice, asking.url, slug="asking")
    return alice


def asked(person: Person) -> tuple[dict[str, str], Frame]:
    """A run that waits for an answer, and its question."""
    started = begin(person.api, BOOK)
    seen = read(person.api, started["run_id"], until=lambda frame: frame.event == "input_required")
    return started, seen[-1]


def answer(person: Person, question: Frame, action: str, **more: Any) -> httpx.Response:
    url = f"/api/inputs/{question.data['id']}/answers/"
    return person.api.post(url, json={"action": action, **more})


def result_of(person: Person, run_id: str) -> str:
    seen = read(person.api, run_id)
    assert seen[-1].event == "done"
    return str(next(frame.data["result"] for frame in seen if frame.event == "tool_result"))


def test_an_answer_goes_on_with_the_call(owner: Person) -> None:
    started, question = asked(owner)

    assert question.data["mode"] == "form"
    assert question.data["server"] == "Asking"
    assert question.data["schema"]["required"] == ["name"]
    assert answer(owner, question, "accept", content=ALICE).status_code == 200
    assert result_of(owner, started["run_id"]).startswith('Booked for Friday: {"name":"Alice"')

    row = InputRequest.objects.get(pk=question.data["id"])
    assert (row.state, row.content) == ("accept", ALICE)
    given = [f.data for f in read(owner.api, started["run_id"]) if f.event == "input_given"]
    call_id = question.data["call_id"]
    assert given == [{"id": str(row.pk), "call_id": call_id, "action": "accept"}]


def test_what_does_not_fit_is_said_and_may_be_sent_again(owner: Person) -> None:
    started, question = asked(owner)

    for bad, field in (
        ({}, "name"),
        ({"name": "A"}, "name"),
        ({"name": "Alice", "seats": 99}, "seats"),
        ({"name": "Alice", "meal": "beef"}, "meal"),
        ({"name": "Alice", "seats": "many"}, "seats"),
    ):
        refused = answer(owner, question, "accept", content=bad)
        assert refused.status_code == 400
        assert list(refused.json()["fields"]) == [field]
    assert answer(owner, question, "perhaps").status_code == 400
    assert answer(owner, question, "accept", content=["x"]).status_code == 400
    assert answer(owner, question, "decline").status_code == 200
    assert result_of(owner, started["run_id"]) == "Not booked: decline"


def test_twenty_answers_at_once_are_one(owner: Person) -> None:
    started, question = asked(owner)
    barrier = threading.Barrier(20)

    def post(number: int) -> int:
        barrier.wait(10)
        content = {"name": f"Alice {number}"}
        return httpx.post(
            f"{owner.site.url}/api/inputs/{question.data['id']}/answers/",
            json={"action": "accept", "content": content},
            headers=owner.headers,
            timeout=30,
        ).status_code

    with ThreadPoolExecutor(20) as pool:
        codes = sorted(pool.map(post, range(20)))

    assert codes == [200] + [409] * 19
    assert result_of(owner, started["run_id"]).startswith("Booked for Friday")


def test_a_question_is_its_owner_s_alone(owner: Person) -> None:
    _, question = asked(owner)

    with Person("bob", owner.site, is_staff=True) as bob:
        assert answer(bob, question, "cancel").status_code == 404
        assert bob.http.get(f"/inputs/{question.data['id']}/").status_code == 404
    assert answer(owner, question, "cancel").status_code == 200


def test_an_answer_in_another_process_is_heard(
    owner: Person, new_site: Callable[..., Site]
) -> None:
    started, question = asked(owner)
    elsewhere = new_site()

    given = httpx.post(
        f"{elsewhere.url}/api/inputs/{question.data['id']}/answers/",
        json={"action": "accept", "content": ALICE},
        headers=owner.headers,
    )

    assert given.status_code == 200
    assert result_of(owner, started["run_id"]).startswith("Booked for Friday")


def test_nobody_is_waited_for_for_ever(
    new_site: Callable[..., Site],
    add_server: Callable[..., MCPServer],
    asking: AskingMCPServer,
) -> None:
    with Person("alice", new_site(INPUT_TIMEOUT_SECONDS="1")) as alice:
        add_server(alice, asking.url)
        started, question = asked(alice)

        assert result_of(alice, started["run_id"]) == "Not booked: cancel"
        assert answer(alice, question, "accept", content=ALICE).status_code == 409


def test_what_expired_while_nobody_took_note_is_over(owner: Person) -> None:
    _, question = asked(owner)
    row = InputRequest.objects.filter(pk=question.data["id"])
    row.update(expires_at=timezone.now() - timedelta(seconds=1))

    shown = owner.http.get(f"/inputs/{question.data['id']}/")

    assert shown.status_code == 200
    assert "Not answered." in shown.text
    assert "<form" not in shown.text
    assert answer(owner, question, "accept", content=ALICE).status_code == 409


def test_a_stopped_run_asks_nothing_any_more(owner: Person) -> None:
    started, question = asked(owner)

    owner.api.post(f"/api/runs/{started['run_id']}/cancellations/")
    seen = read(owner.api, started["run_id"])

    assert seen[-1].data["finish_reason"] == "cancelled"
    assert InputRequest.objects.get(pk=question.data["id"]).state == "cancel"
    assert ToolRun.objects.get(run_id=started["run_id"]).state == "cancelled"
    assert answer(owner, question, "accept", content=ALICE).status_code == 409


def test_the_page_asks_without_a_script(owner: Person) -> None:
    started, question = asked(owner)
    address = f"/c/{started['conversation_id']}/"
    page = owner.http.get(address).text
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    assert 'http-equiv="refresh"' not in page
    assert "Whom shall I book for Friday?" in page

    def send(**fields: str) -> httpx.Response:
        return owner.http.post(
            f"/inputs/{question.data['id']}/answers/",
            data={"csrfmiddlewaretoken": token[1], "action": "accept", **fields},
        )

    refused = send(**{"field-name": "A", "field-seats": "3"})
    assert refused.status_code == 400
    assert "Your name" in refused.text
    assert 'value="3"' in refused.text
    taken = send(**{"field-name": "Alice", "field-seats": "3", "field-window": "true"})
    assert (taken.status_code, taken.headers["location"]) == (303, address)
    assert '"seats":3,"meal":"soup","window":true' in result_of(owner, started["run_id"])
    wait_until(lambda: "You answered." in owner.http.get(address).text, 15, "the page says so")
