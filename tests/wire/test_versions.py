"""Questions edited, answers made anew, versions chosen: all of it stays, one branch is shown."""

import random
from typing import Any

import httpx
import pytest

from chat.models import AgentRun, Conversation, Tree
from chat.runs.history import read_history
from tests.people import Person
from tests.servers.model_server import ScriptedModelServer
from tests.sse import begin, read

Json = dict[str, Any]


class Talk:
    """A conversation over the API."""

    def __init__(self, api: httpx.Client, first: str) -> None:
        self.api = api
        started = begin(api, first)
        read(api, started["run_id"])
        self.url = f"/api/conversations/{started['conversation_id']}/"

    def ask(self, message: str = "", **more: Any) -> httpx.Response:
        body = {"message": message, **more} if message else more
        response = self.api.post(f"{self.url}messages/", json=body)
        if response.status_code == 201:
            read(self.api, response.json()["run_id"])
        return response

    def choose(self, key: object) -> httpx.Response:
        return self.api.patch(self.url, json={"current_message_id": key})

    def whole(self) -> Json:
        return dict(self.api.get(self.url).json())

    def shown(self) -> list[Json]:
        whole = self.whole()
        messages = {message["id"]: message for message in whole["messages"]}
        key, path = whole["current_message_id"], []
        while key is not None:
            path.append(messages[key])
            key = messages[key]["parent_id"]
        return path[::-1]

    def said(self) -> list[str]:
        return [message["content"].strip() for message in self.shown()]


def test_edited_regenerated_and_chosen(alice: Person, model_server: ScriptedModelServer) -> None:
    talk = Talk(alice.api, "[[text one]]")
    talk.ask("[[text two]]")
    first, answer, second, _ = [message["id"] for message in talk.shown()]

    # Edited: what followed the old version is not shown to the model.
    assert talk.ask("[[text TWO]]", replaces=second).status_code == 201
    _, sent = model_server.requests[-1]
    assert [each["content"] for each in sent["messages"]] == [
        "[[text one]]",
        "one",
        "[[text TWO]]",
    ]
    assert talk.said() == ["[[text one]]", "one", "[[text TWO]]", "TWO"]

    # Answered once more: the question is the same, and the branch ends with the new answer.
    assert talk.ask(regenerates=first).status_code == 201
    _, sent = model_server.requests[-1]
    assert [each["content"] for each in sent["messages"]] == ["[[text one]]"]
    assert talk.said() == ["[[text one]]", "one"]
    regenerated = talk.shown()[-1]["id"]
    assert regenerated != answer
    talk.ask("[[text on]]")
    assert talk.said() == ["[[text one]]", "one", "[[text on]]", "on"]

    # Chosen: down to the newest end of its branch; from there on it goes on.
    assert talk.choose(second).status_code == 200
    assert talk.said() == ["[[text one]]", "one", "[[text two]]", "two"]
    assert talk.choose(answer).status_code == 200
    assert talk.said()[-1] == "TWO"
    talk.ask("[[text three]]")
    assert talk.said()[-3:] == ["TWO", "[[text three]]", "three"]

    # Another first question, and nothing was lost.
    talk.ask("[[text FIRST]]", replaces=first)
    assert talk.said() == ["[[text FIRST]]", "FIRST"]
    whole = talk.whole()
    assert len(whole["messages"]) == 13
    assert {message["parent_id"] for message in whole["messages"] if message["role"] == "user"} == {
        None,
        answer,
        regenerated,
        next(each["id"] for each in whole["messages"] if each["content"].strip() == "TWO"),
    }


def test_what_cannot_be_is_refused_and_stores_nothing(alice: Person, bob: Person) -> None:
    talk, other = Talk(alice.api, "[[text one]]"), Talk(bob.api, "[[text theirs]]")
    question, answer = [message["id"] for message in talk.shown()]
    theirs = other.shown()[0]["id"]
    before = talk.whole()

    for key in (theirs, 1 << 62):
        assert talk.ask("x", replaces=key).status_code == 404
        assert talk.ask(regenerates=key).status_code == 404
        assert talk.choose(key).status_code == 404
    assert talk.ask("x", replaces=answer).status_code == 404
    assert talk.ask(regenerates=answer).status_code == 404
    for wrong in (0, -1, 1 << 64, True, "1", 1.5, [question]):
        assert talk.ask("x", replaces=wrong).status_code == 400
        assert talk.ask(regenerates=wrong).status_code == 400
        assert talk.choose(wrong).status_code == 400
    assert talk.choose(None).status_code == 400
    assert talk.ask("x", regenerates=question).status_code == 400
    assert talk.ask().status_code == 400
    body = {"message": "x", "replaces": question}
    assert alice.api.post("/api/conversations/", json=body).status_code == 404

    assert talk.whole() == before


def test_while_an_answer_is_in_progress_nothing_branches_off(alice: Person) -> None:
    talk = Talk(alice.api, "[[text one]]")
    question, answer = [message["id"] for message in talk.shown()]
    body = {"message": "[[tokens 2000 delay 10]]"}
    run_id = alice.api.post(f"{talk.url}messages/", json=body).json()["run_id"]
    read(alice.api, run_id, until=lambda frame: frame.event == "content")

    for refused in (
        talk.ask("other", replaces=question),
        talk.ask(regenerates=question),
        talk.choose(answer),
    ):
        assert (refused.status_code, refused.json()["code"]) == (409, "RUN_ACTIVE")
        assert "still in progress" in refused.json()["message"]

    # What is in progress is what is shown.
    assert talk.said()[-1] == "[[tokens 2000 delay 10]]"
    alice.api.post(f"/api/runs/{run_id}/cancellations/")
    read(alice.api, run_id)
    assert len(talk.whole()["messages"]) == 4


def test_the_same_key_regenerates_once(alice: Person) -> None:
    talk = Talk(alice.api, "[[text one]]")
    body = {"regenerates": talk.shown()[0]["id"]}
    headers = {"Idempotency-Key": "again"}

    runs = {
        alice.api.post(f"{talk.url}messages/", json=body, headers=headers).json()["run_id"]
        for _ in range(3)
    }

    (run_id,) = runs
    read(alice.api, run_id)
    assert [message["role"] for message in talk.whole()["messages"]] == ["user"] + 2 * ["assistant"]


@pytest.mark.parametrize("seed", range(5))
def test_the_path_in_the_database_is_the_path_in_the_tree(seed: int, alice: Person) -> None:
    conversation = Conversation.objects.create(owner=alice.user)
    chance, keys = random.Random(seed), [None]
    for number in range(60):
        parent = chance.choice(keys[-8:])
        said = conversation.messages.create(role="user", content=str(number), parent_id=parent)
        keys.append(said.pk)

    tree = conversation.tree()
    for key in keys[1:]:
        asked = conversation.messages.get(pk=key)
        run = AgentRun(conversation=conversation, message=asked, created_at=asked.created_at)
        contents = [message["content"] for message in read_history(run)]
        path = conversation.messages.in_bulk(tree.path_to(key))
        assert contents == [path[each].content for each in tree.path_to(key)]
        below = [each for each in keys[1:] if key in tree.path_to(each)]
        assert tree.end_of(key) == max(below)
        assert key in tree.versions_of(key)


def test_nothing_has_no_path() -> None:
    tree = Tree([])

    assert tree.path_to(None) == []
    assert tree.answers_to(1) == []
