"""Titles by the model: asked for once, after the answer, and never at its expense."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from chat.models import Conversation
from chat.runs.titles import MAX_CHARACTERS, PROMPT, title_from
from tests.people import Person
from tests.servers.mcp_server import ScriptedMCPServer
from tests.servers.model_server import TITLE_PROMPT, ScriptedModelServer
from tests.servers.site import Site
from tests.sse import begin, read, wait_until

Json = dict[str, Any]


@pytest.fixture(scope="module")
def asking_site(
    database: None, model_server: ScriptedModelServer, mcp_server: ScriptedMCPServer
) -> Iterator[Site]:
    """A site that asks for titles."""
    # A site that starts without this server drops it, for all on the same database.
    places = {"LLM_BASE_URL": model_server.base_url, "MCP_SERVER_URL": mcp_server.url}
    with Site(**places, TITLE_BY_MODEL="true") as site:
        yield site


@pytest.fixture
def api(asking_site: Site, alice: Person) -> Iterator[httpx.Client]:
    """Alice, there."""
    with httpx.Client(base_url=asking_site.url, headers=alice.headers, timeout=30) as client:
        yield client


def of_titles(model_server: ScriptedModelServer, text: str) -> list[Json]:
    """The requests for a title of a conversation that began with this text."""
    bodies = [body for _, body in model_server.requests]
    return [
        body
        for body in bodies
        if body["messages"][0]["content"] == PROMPT and text in body["messages"][-1]["content"]
    ]


def titled(conversation_id: str) -> Conversation:
    """Once the model has given it a title."""
    found = Conversation.objects.filter(pk=conversation_id, title_source="model")
    return wait_until(found.first, what="a title by the model")


def test_the_first_answer_brings_a_title_in_a_request_of_its_own(
    api: httpx.Client, model_server: ScriptedModelServer
) -> None:
    text = "How do otters sleep? [[text Holding hands.]][[title **Sleeping otters**]]"
    started = begin(api, text)
    read(api, started["run_id"])

    conversation = titled(started["conversation_id"])

    assert conversation.title == "Sleeping otters"
    (request,) = of_titles(model_server, "How do otters sleep?")
    assert "tools" not in request
    assert "Holding hands." in request["messages"][-1]["content"]
    url = f"/api/conversations/{started['conversation_id']}/"
    again = api.post(f"{url}messages/", json={"message": "And now? [[title Another]]"}).json()
    read(api, again["run_id"])
    third = api.post(f"{url}messages/", json={"message": "[[text x]]"}).json()
    read(api, third["run_id"])
    assert api.get(url).json()["title"] == "Sleeping otters"
    assert of_titles(model_server, "And now?") == []


def test_a_title_that_stalls_holds_nothing_up(
    api: httpx.Client, model_server: ScriptedModelServer
) -> None:
    text = "Do walruses wait? [[text No.]][[title-stall]]"
    started = begin(api, text)
    frames = read(api, started["run_id"])
    model_server.wait_for(lambda: of_titles(model_server, "Do walruses wait?"))

    url = f"/api/conversations/{started['conversation_id']}/"
    second = api.post(f"{url}messages/", json={"message": "[[text Still here.]]"}).json()

    assert frames[-1].event == "done"
    assert read(api, second["run_id"])[-1].data["content"] == "Still here."
    assert api.get(url).json()["title_source"] == "words"


def test_titles_that_fail_leave_the_first_words(
    api: httpx.Client, model_server: ScriptedModelServer
) -> None:
    scripts = ("[[title-status 500]]", "[[title-cut]]", "[[title-error no]]", "[[title **]]")
    texts = [f"Fails {number}: [[text Fine.]]{script}" for number, script in enumerate(scripts)]
    started = [begin(api, text) for text in texts]
    endings = [read(api, each["run_id"])[-1] for each in started]
    for text in texts:
        model_server.wait_for(lambda text=text: of_titles(model_server, text))
    # What is asked next has its title last; the others have had all their time by then.
    other = begin(api, "Next [[text x]][[title It works]]")
    read(api, other["run_id"])
    titled(other["conversation_id"])

    whole = [api.get(f"/api/conversations/{each['conversation_id']}/").json() for each in started]

    assert [ending.data["finish_reason"] for ending in endings] == ["stop"] * len(texts)
    assert [(each["title"], each["title_source"]) for each in whole] == [
        (text, "words") for text in texts
    ]
    assert [run["status"] for each in whole for run in each["runs"]] == ["completed"] * len(texts)


def test_a_persons_title_is_left_alone(
    api: httpx.Client, model_server: ScriptedModelServer
) -> None:
    slow = "Named meanwhile [[tokens 40 delay 20]][[title By the model]]"
    started = begin(api, slow)
    url = f"/api/conversations/{started['conversation_id']}/"
    api.patch(url, json={"title": "By a person"})
    read(api, started["run_id"])
    other = begin(api, "Next [[text x]][[title It works]]")
    read(api, other["run_id"])
    titled(other["conversation_id"])

    assert api.get(url).json()["title"] == "By a person"
    assert of_titles(model_server, "Named meanwhile") == []


def test_a_failed_answer_has_no_title_and_the_first_good_one_has(api: httpx.Client) -> None:
    started = begin(api, "Fails at first [[status 401]]")
    read(api, started["run_id"])
    url = f"/api/conversations/{started['conversation_id']}/"
    assert api.get(url).json()["title_source"] == "words"

    again = api.post(f"{url}messages/", json={"message": "[[text Good.]][[title At last]]"})
    read(api, again.json()["run_id"])

    assert titled(started["conversation_id"]).title == "At last"


def test_the_shared_site_asks_for_none(alice: Person, model_server: ScriptedModelServer) -> None:
    started = begin(alice.api, "No title wanted [[text Hi.]][[title Unwanted]]")
    read(alice.api, started["run_id"])

    assert of_titles(model_server, "No title wanted") == []


@pytest.mark.parametrize(
    ("heard", "title"),
    [
        ("Otters at play", "Otters at play"),
        ('"Otters at play."\n', "Otters at play"),
        ("\n\n# Otters\n\nMore words below", "Otters"),
        ("Title: **Otters** at `play`", "Otters at play"),
        ("“Otter und Biber”", "Otter und Biber"),
        ("«Loutres»", "Loutres"),
        ("獺の眠り方。", "獺の眠り方。"),
        ("[Otters](https://example.org/x) at play", "Otters at play"),
        ("Otters\u202e\u200b\x00 at\tplay", "Otters\ufffd at play"),
        ("What 'otter' means: 'swimmer'", "What 'otter' means: 'swimmer'"),
        ("", ""),
        (" \n ** \n", ""),
        ("Here is a title for your conversation that I have thought about for a while: Otters", ""),
        ("x" * 200, "x" * 79 + "…"),
        ("Donaudampfschifffahrtsgesellschaft " * 4, "Donaudampfschifffahrtsgesellschaft " * 2),
    ],
)
def test_a_title_is_cleaned(heard: str, title: str) -> None:
    cleaned = title_from(heard)

    assert cleaned.rstrip("…") == title.rstrip("… ")
    assert len(cleaned) <= MAX_CHARACTERS


def test_the_scripted_model_knows_when_a_title_is_asked_for() -> None:
    assert PROMPT.startswith(TITLE_PROMPT)
