"""People choose the model that answers; a conversation keeps the choice."""

import re
from collections.abc import Iterator

import httpx
import pytest

from chat.models import AgentRun, Conversation
from tests.people import Person
from tests.servers.mcp_server import ScriptedMCPServer
from tests.servers.model_server import ScriptedModelServer
from tests.servers.site import Site
from tests.sse import read

OTHER = "vendor/another"


@pytest.fixture(scope="module")
def choice(
    site: Site, model_server: ScriptedModelServer, mcp_server: ScriptedMCPServer
) -> Iterator[Site]:
    """A site that offers two models."""
    with Site(
        LLM_BASE_URL=model_server.base_url,
        MCP_SERVER_URL=mcp_server.url,
        LLM_MODELS=f"scripted,{OTHER}",
    ) as running:
        yield running


@pytest.fixture
def dora(choice: Site) -> Iterator[Person]:
    """She may choose."""
    with Person("dora", choice) as person:
        person.http.get("/")
        person.http.headers["X-CSRFToken"] = person.http.cookies["csrftoken"]
        yield person


def ask(person: Person, message: str, url: str = "/c/", **fields: str) -> tuple[str, AgentRun]:
    """Send the form and wait for the answer; the conversation's address and the run."""
    response = person.http.post(url, data={"message": message, **fields})
    assert response.status_code == 303, response.text
    address = response.headers["Location"]
    run = AgentRun.objects.filter(conversation=address.split("/")[2]).latest("created_at")
    read(person.api, str(run.pk))
    run.refresh_from_db()
    return address, run


def chosen(page: str) -> list[str]:
    return re.findall(r"<option selected>([^<]+)</option>", page)


def chip(page: str) -> str:
    found = re.search(r'<span class="chip"[^>]*>([^<]*)</span>', page)
    return found[1] if found else ""


def test_one_model_is_no_choice(alice: Person) -> None:
    page = alice.http.get("/").text

    assert "<select" not in page
    assert chip(page) == "scripted"


def test_two_models_are_a_choice_with_the_default_first(dora: Person) -> None:
    page = dora.http.get("/").text

    options = re.findall(r"<option[^>]*>([^<]+)</option>", page)
    assert (options, chosen(page)) == (["scripted", OTHER], ["scripted"])
    assert '<label class="only-heard" for="model-name">Model</label>' in page


def test_a_conversation_keeps_the_model_that_was_chosen_last(
    dora: Person, model_server: ScriptedModelServer
) -> None:
    address, first = ask(dora, "[[text One.]]", model_name=OTHER)
    page = dora.http.get(address).text
    # Without a choice, as "Try again" and programs ask.
    _, second = ask(dora, "[[text Two.]]", f"{address}messages/")

    assert (first.model_name, second.model_name) == (OTHER, OTHER)
    assert [body["model"] for _, body in model_server.requests[-2:]] == [OTHER, OTHER]
    assert (chosen(page), chip(page)) == ([OTHER], OTHER)
    assert chosen(dora.http.get("/").text) == ["scripted"]

    _, third = ask(dora, "[[text Three.]]", f"{address}messages/", model_name="scripted")
    assert third.model_name == "scripted"
    assert chosen(dora.http.get(address).text) == ["scripted"]


def test_trying_again_asks_the_conversations_model(dora: Person) -> None:
    address, failed = ask(dora, "[[text So far]][[cut]]", model_name=OTHER)
    page = dora.http.get(address).text
    form = re.search(r'<div class="oops".*?</form>', page, re.DOTALL)

    assert failed.error_code == "LLM_INCOMPLETE"
    assert form
    assert "So far" in page
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[0]))
    assert fields.keys() == {"csrfmiddlewaretoken", "regenerates"}
    _, again = ask(dora, "", f"{address}messages/", regenerates=fields["regenerates"])
    assert again.model_name == OTHER


def test_a_model_that_is_no_longer_offered_gives_way_to_the_default(dora: Person) -> None:
    address, _ = ask(dora, "[[text One.]]")
    Conversation.objects.filter(owner=dora.user).update(model_name="withdrawn")

    page = dora.http.get(address).text
    _, run = ask(dora, "[[text Two.]]", f"{address}messages/")

    assert (chosen(page), chip(page)) == (["scripted"], "scripted")
    assert run.model_name == "scripted"


def test_an_unknown_model_is_refused_and_the_draft_kept(dora: Person) -> None:
    form = {"message": "a <long> draft", "model_name": "somebody/elses"}
    response = dora.http.post("/c/", data=form)

    assert response.status_code == 400
    assert f"There is no model of that name here. There are: scripted, {OTHER}." in response.text
    assert "a &lt;long&gt; draft</textarea>" in response.text
    assert not Conversation.objects.filter(owner=dora.user).exists()


def test_a_refused_draft_keeps_the_choice_too(dora: Person) -> None:
    response = dora.http.post("/c/", data={"message": " ", "model_name": OTHER})

    assert response.status_code == 400
    assert chosen(response.text) == [OTHER]


def test_programs_see_and_choose_the_model(dora: Person) -> None:
    body = {"message": "[[text hi]]", "model_name": OTHER}
    started = dora.api.post("/api/conversations/", json=body).json()
    read(dora.api, started["run_id"])
    url = f"/api/conversations/{started['conversation_id']}/"
    second = dora.api.post(f"{url}messages/", json={"message": "[[text ho]]"}).json()
    read(dora.api, second["run_id"])

    assert (started["model_name"], second["model_name"]) == (OTHER, OTHER)
    assert dora.api.get(url).json()["model_name"] == OTHER
    listed: httpx.Response = dora.api.get("/api/conversations/")
    assert listed.json()["conversations"][0]["model_name"] == OTHER


def test_a_refused_question_does_not_change_the_choice(dora: Person) -> None:
    address, _ = ask(dora, "[[text One.]]")
    url = f"{address}messages/"
    slow = dora.http.post(url, data={"message": "[[stall]]"})
    run = AgentRun.objects.get(conversation=address.split("/")[2], status__in=["queued", "running"])

    refused = dora.http.post(url, data={"message": "and?", "model_name": OTHER})

    assert (slow.status_code, refused.status_code) == (303, 409)
    assert Conversation.objects.get(pk=run.conversation_id).model_name == ""
    dora.api.post(f"/api/runs/{run.pk}/cancellations/")
