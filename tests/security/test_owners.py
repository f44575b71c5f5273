"""What is somebody's is theirs: the same requests, with bodies that fit, by others and by them."""

from typing import Any
from uuid import uuid4

import httpx
from django.urls import reverse

from chat.models import Conversation
from tests.people import Person
from tests.security.test_authorisation import LOG_ROUTES, OBJECT_ROUTES, ids_of
from tests.sse import begin, read

Json = dict[str, Any]
MESSAGE = {"message": "[[text A secret of Alice]]"}
# In this order: what asks again, and what takes away, comes last.
REQUESTS: dict[str, tuple[str, Json]] = {
    "conversation": ("GET", {}),
    "options": ("GET", {}),
    "run": ("GET", {}),
    "attachment": ("GET", {}),
    "input": ("GET", {}),
    "approval": ("GET", {}),
    "api_conversation": ("GET", {}),
    "api_export": ("GET", {}),
    "api_run": ("GET", {}),
    "api_run_events": ("GET", {}),
    "api_replay": ("GET", {}),
    "choose_version": ("POST", {"message_id": "of its own"}),
    "change": ("POST", {"title": "Of Alice alone"}),
    "answer_input": ("POST", {"action": "decline"}),
    "api_answers": ("POST", {"action": "decline"}),
    "decide": ("POST", {"decision": "deny"}),
    "api_approvals": ("POST", {"decision": "deny"}),
    "withdraw": ("POST", {}),
    "cancel_run": ("POST", {}),
    "api_cancellations": ("POST", {}),
    "api_messages": ("POST", MESSAGE),
    "create_message": ("POST", MESSAGE),
    "delete": ("POST", {}),
    "restore": ("POST", {}),
    "api_restorations": ("POST", {}),
}
# It is found: seen, done, or done or over already.
FOUND = {200, 201, 202, 303, 409}


def send(person: Person, name: str, pk: object, body: Json) -> httpx.Response:
    """As a program sends it, or as a browser sends a form of ours."""
    verb, url = REQUESTS[name][0], reverse(name, kwargs={"pk": pk})
    if name.startswith("api_"):
        return person.api.request(verb, url, json=body or None)
    return person.http.request(verb, url, data=body, headers=token(person))


def token(person: Person) -> dict[str, str]:
    if "csrftoken" not in person.http.cookies:
        person.http.get("/")
    return {"X-CSRFToken": person.http.cookies["csrftoken"]}


def test_what_its_owner_can_do_with_it_is_404_for_all_others(
    alice: Person, bob: Person, carol: Person
) -> None:
    assert REQUESTS.keys() == OBJECT_ROUTES.keys()
    ids = ids_of(alice)
    question = Conversation.objects.get(owner=alice.user).messages.earliest("pk")

    for name, (_, body) in REQUESTS.items():
        fitting = body | ({"message_id": question.pk} if "message_id" in body else {})
        pk = ids[OBJECT_ROUTES[name]]
        for person in (bob,) if name in LOG_ROUTES else (bob, carol):
            theirs, nobodys = (send(person, name, it, fitting) for it in (pk, uuid4()))
            assert (theirs.status_code, nobodys.status_code) == (404, 404), (name, person.username)
            assert "secret" not in theirs.text
        hers = send(alice, name, pk, fitting)
        assert hers.status_code in FOUND, (name, hers.status_code, hers.text)

    assert Conversation.objects.get(owner=alice.user).title == "Of Alice alone"


def test_a_message_in_a_form_is_looked_up_in_its_conversation(alice: Person, bob: Person) -> None:
    for person in (alice, bob):
        read(person.api, begin(person.api, "[[text A secret]]")["run_id"])
    his = Conversation.objects.get(owner=bob.user)
    before = list(his.messages.values_list("pk", flat=True))
    hers = Conversation.objects.get(owner=alice.user).messages.earliest("pk").pk

    for name, body in (
        ("choose_version", {"message_id": hers}),
        ("create_message", {"message": "let me in", "replaces": hers}),
        ("create_message", {"regenerates": hers}),
    ):
        assert send(bob, name, his.pk, body).status_code == 404, body
    own = send(bob, "choose_version", his.pk, {"message_id": before[0]})

    assert own.status_code == 303
    assert list(his.messages.values_list("pk", flat=True)) == before
