"""What people see of a model's trouble: partial text stays, waits end, keys stay secret."""

import os
import signal
import time
from collections.abc import Callable
from io import StringIO

import httpx
import pytest
from django.core.management import call_command

from chat.models import AgentRun, Conversation
from tests.people import Person
from tests.servers.raw_server import ANSWER, RawServer, delta, refusal, stream
from tests.servers.site import Site
from tests.sse import Frame, ask, begin, read, text_of

KEY = "sk-canary-9d41c7"
TOO_LONG = refusal(400, message="This model's maximum context length is 8192 tokens.")


def go_on(person: Person, conversation_id: str, message: str = "And?") -> list[Frame]:
    url = f"/api/conversations/{conversation_id}/messages/"
    started = person.api.post(url, json={"message": message}).json()
    return read(person.api, started["run_id"])


def test_a_stall_in_mid_answer_ends_at_its_bound(new_site: Callable[..., Site]) -> None:
    with Person("alice", new_site(LLM_IDLE_TIMEOUT_SECONDS="2")) as alice:
        started = begin(alice.api, "[[text Half of it]][[stall]]")
        read(alice.api, started["run_id"], until=lambda frame: "it" in frame.data["content"])
        began = time.monotonic()
        seen = read(alice.api, started["run_id"])

    assert 1 < time.monotonic() - began < 8
    assert text_of(seen) == "Half of it"
    assert seen[-1].data["code"] == "LLM_TIMEOUT"
    assert AgentRun.objects.get(pk=started["run_id"]).status == "failed"


def test_a_machine_that_stands_still_does_not_take_that_for_silence(
    new_site: Callable[..., Site],
) -> None:
    site = new_site(LLM_IDLE_TIMEOUT_SECONDS="2", LLM_TOTAL_TIMEOUT_SECONDS="8")
    with Person("alice", site) as alice:
        started = begin(alice.api, "[[tokens 300 delay 20]]")
        read(alice.api, started["run_id"], until=lambda frame: "t20 " in frame.data["content"])
        assert site.process
        os.kill(site.process.pid, signal.SIGSTOP)
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{site.url}/healthz", timeout=6)
        os.kill(site.process.pid, signal.SIGCONT)
        seen = read(alice.api, started["run_id"])

    assert seen[-1].event == "done"
    assert len(text_of(seen).split()) == 300


def test_an_answer_that_never_ends_is_ended(new_site: Callable[..., Site]) -> None:
    with Person("alice", new_site(LLM_TOTAL_TIMEOUT_SECONDS="2")) as alice:
        began = time.monotonic()
        seen = ask(alice.api, "[[tokens 1000 delay 10]]")

    assert 1 < time.monotonic() - began < 8
    assert seen[-1].data["code"] == "LLM_TIMEOUT"
    assert len(text_of(seen).split()) > 20


def test_a_cut_stream_keeps_its_text_and_the_conversation_goes_on(alice: Person) -> None:
    started = begin(alice.api, "[[text Half of it]][[cut]]")
    seen = read(alice.api, started["run_id"])

    assert text_of(seen) == "Half of it"
    assert seen[-1].data["code"] == "LLM_INCOMPLETE"
    assert text_of(go_on(alice, started["conversation_id"])) == "You said: And?"


def test_a_cut_tool_call_is_never_executed(alice: Person) -> None:
    cut = ask(alice.api, '[[call echo {"text": "hi"}]][[cut]]')
    short = ask(alice.api, '[[call echo {"text": "hi"}]][[finish length]]')

    for seen in (cut, short):
        assert seen[-1].data["code"] == "LLM_INCOMPLETE"
        assert not [frame for frame in seen if frame.event.startswith("tool")]


def test_usage_is_summed_over_steps_and_unknown_stays_unknown(alice: Person) -> None:
    known = ask(
        alice.api, '[[usage 10 5]][[call echo {"text": "x"}]][[then]][[usage 20 7]][[text Hi]]'
    )
    half = ask(alice.api, '[[usage 10 5]][[call echo {"text": "x"}]][[then]][[text Hi]]')
    none = ask(alice.api, "[[text Hi]]")

    assert known[-1].data["usage"] == {"input_tokens": 30, "output_tokens": 12}
    assert not half[-1].data.get("usage")
    assert not none[-1].data.get("usage")


def test_cost_and_details_reach_the_run(new_site: Callable[..., Site]) -> None:
    usage = {
        "prompt_tokens": 900,
        "completion_tokens": 30,
        "prompt_tokens_details": {"cached_tokens": 800},
        "completion_tokens_details": {"reasoning_tokens": 20},
        "cost": 0.00042,
    }
    end = {"choices": [], "usage": usage}
    with (
        RawServer([stream(delta(content="Good."), delta("stop"), end)]) as model,
        Person("alice", new_site(LLM_BASE_URL=model.base_url)) as alice,
    ):
        started = begin(alice.api, "hi")
        seen = read(alice.api, started["run_id"])

    expected = {
        "input_tokens": 900,
        "output_tokens": 30,
        "cached_tokens": 800,
        "reasoning_tokens": 20,
        "cost": 0.00042,
    }
    assert seen[-1].data["usage"] == expected
    assert AgentRun.objects.get(pk=started["run_id"]).usage == expected


def test_turns_that_did_not_fit_are_not_tried_again(new_site: Callable[..., Site]) -> None:
    replies = [ANSWER, ANSWER, TOO_LONG, ANSWER]
    with (
        RawServer(replies) as model,
        Person("alice", new_site(LLM_BASE_URL=model.base_url)) as alice,
    ):
        started = begin(alice.api, "q1")
        read(alice.api, started["run_id"])
        go_on(alice, started["conversation_id"], "q2")
        trimmed = go_on(alice, started["conversation_id"], "q3")
        after = go_on(alice, started["conversation_id"], "q4")

    shown = [
        [message["content"] for message in seen.body["messages"] if message["role"] == "user"]
        for seen in model.requests
    ]
    assert trimmed[0].data["turns_left_out"] == 1
    assert shown[2:] == [["q1", "q2", "q3"], ["q2", "q3"], ["q2", "q3", "q4"]]
    assert after[-1].event == "done"
    runs = Conversation.objects.get(pk=started["conversation_id"]).runs.order_by("created_at")
    assert [run.turns_left_out for run in runs] == [0, 0, 1, 1]


def test_the_key_is_nowhere(new_site: Callable[..., Site]) -> None:
    replies = [
        refusal(401, message=f"Incorrect API key provided: {KEY}"),
        stream({"error": {"message": f"denied for Bearer {KEY}"}}),
        refusal(400, message=f"unknown parameter, key {KEY}"),
    ]
    with (
        RawServer(replies) as model,
        Person("alice", site := new_site(LLM_BASE_URL=model.base_url, LLM_API_KEY=KEY)) as alice,
    ):
        started = [begin(alice.api, "hi") for _ in replies]
        events = [read(alice.api, one["run_id"]) for one in started]
        pages = [alice.http.get(f"/c/{one['conversation_id']}/") for one in started]
        stored = StringIO()
        call_command("dumpdata", "chat", stdout=stored)

    assert model.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert all(seen[-1].event == "error" for seen in events)
    assert started[0]["run_id"] in stored.getvalue()
    assert all(page.status_code == 200 for page in pages)
    for text in (str(events), *(page.text for page in pages), stored.getvalue(), site.log):
        assert KEY not in text


def test_connections_to_the_model_are_kept(new_site: Callable[..., Site]) -> None:
    with (
        RawServer([ANSWER]) as model,
        Person("alice", new_site(LLM_BASE_URL=model.base_url)) as alice,
    ):
        for _ in range(20):
            assert ask(alice.api, "hi")[-1].event == "done"

    assert len(model.requests) == 20
    assert model.connections <= 2
