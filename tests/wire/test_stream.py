"""POST /chat/stream and following a run: the wire, exactly."""

import json
import re

import httpx
import pytest

from chat.models import MCPServer, RunEvent
from tests.people import Person
from tests.servers.site import free_port
from tests.sse import ask, begin, frames, read, text_of
from tests.wire.approving import decide, waiting

TOOL = 'Please [[call echo {"text": "hello"}]][[then]][[text It said hello.]]'


def test_a_stream_is_exactly_the_wire_format(alice: Person) -> None:
    with alice.api.stream("POST", "/chat/stream", json={"message": TOOL}) as response:
        raw = response.read().decode()

    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["x-run-id"]
    assert response.headers["x-conversation-id"]
    assert response.headers["cache-control"] == "no-cache, no-transform"
    blocks = raw.removesuffix("\n\n").split("\n\n")
    assert all(re.fullmatch(r"id: \d+\nevent: [a-z_]+\ndata: \{.*\}", block) for block in blocks)
    assert [int(block.split("\n")[0][4:]) for block in blocks] == list(range(1, len(blocks) + 1))


def test_a_question_with_a_tool_shows_the_call_its_result_and_the_answer(alice: Person) -> None:
    seen = ask(alice.api, TOOL)

    order = list(dict.fromkeys(frame.event for frame in seen))
    assert order == ["tool_calls", "tool_executing", "tool_result", "content", "done"]
    calls, executing, result = seen[0].data, seen[1].data, seen[2].data
    assert calls["iteration"] == 1
    assert calls["tools"][0]["name"] == "echo"
    assert calls["tools"][0]["arguments"] == {"text": "hello"}
    assert executing == {"tool": "echo", "id": calls["tools"][0]["id"]}
    assert result["result"] == "hello"
    assert (result["is_error"], result["is_large"], result["outcome"]) == (False, False, "ok")
    assert result["duration_ms"] >= 0
    assert seen[-1].data["content"] == "It said hello."
    assert seen[-1].data["finish_reason"] == "stop"


def test_parallel_calls_run_side_by_side(alice: Person) -> None:
    slow = '[[call slow {"seconds": 1, "steps": 2}]]'
    seen = ask(alice.api, f"{slow}{slow}{slow}[[then]][[text ok]]")

    results = [frame.data for frame in seen if frame.event == "tool_result"]
    kinds = [frame.event for frame in seen if frame.event != "tool_progress"]
    assert [result["outcome"] for result in results] == ["ok"] * 3
    assert kinds[:4] == ["tool_calls", "tool_executing", "tool_executing", "tool_executing"]
    assert any(frame.event == "tool_progress" for frame in seen)


def test_tool_failures_are_results_and_the_answer_goes_on(alice: Person) -> None:
    seen = ask(
        alice.api,
        '[[call fail {"text": "no luck"}]][[call invented {}]][[raw-arguments echo {not json]]'
        "[[then]][[text I see.]]",
    )

    results = [frame.data for frame in seen if frame.event == "tool_result"]
    assert sorted(result["outcome"] for result in results) == [
        "blocked",
        "tool_error",
        "tool_error",
    ]
    assert all(result["is_error"] for result in results)
    assert any("no luck" in result["result"] for result in results)
    assert any("invented" in result["result"] for result in results)
    assert seen[-1].data["content"] == "I see."


def test_a_dead_server_is_a_notice_and_its_neighbours_go_on(alice: Person) -> None:
    url = f"http://127.0.0.1:{free_port()}/mcp"
    dead = MCPServer.objects.create(name="Dead tools", slug="dead", url=url)
    try:
        seen = ask(alice.api, TOOL)
    finally:
        dead.delete()

    assert seen[0].event == "notice"
    assert seen[0].data["code"] == "MCP_TOOLS_ERROR"
    assert "Dead tools" in seen[0].data["message"]
    assert seen[-1].data["content"] == "It said hello."


def test_too_many_tool_rounds_end_in_an_error(alice: Person) -> None:
    seen = ask(alice.api, '[[loop echo {"text": "again"}]]')

    assert seen[-1].event == "error"
    assert seen[-1].data["code"] == "MAX_ITERATIONS"
    assert sum(frame.event == "tool_calls" for frame in seen) == 10


def test_a_model_that_fails_ends_the_run_with_its_code(alice: Person) -> None:
    assert ask(alice.api, "[[status 401]]")[-1].data["code"] == "LLM_AUTH"
    cut = ask(alice.api, "[[text half an]][[cut]]")
    assert cut[-1].data["code"] == "LLM_INCOMPLETE"
    assert text_of(cut).strip() == "half an"


def test_reasoning_and_usage_are_passed_on(alice: Person) -> None:
    seen = ask(alice.api, "[[reason Let me think]][[text Yes.]][[usage 12 34]]")

    thought = "".join(f.data["content"] for f in seen if f.event == "reasoning")
    assert thought.strip() == "Let me think"
    assert seen[-1].data["usage"]["input_tokens"] == 12
    assert seen[-1].data["usage"]["output_tokens"] == 34


def test_a_client_cut_twenty_times_ends_with_the_same_bytes(alice: Person) -> None:
    run_id = begin(alice.api, "[[tokens 300 delay 5]]")["run_id"]

    pieces, after = [], 0
    for _ in range(20):
        part = read(alice.api, run_id, after, until=lambda f, stop=after + 4: f.id >= stop)
        pieces += part
        after = pieces[-1].id
    pieces += read(alice.api, run_id, after)

    whole = read(alice.api, run_id)
    assert [frame.raw for frame in pieces] == [frame.raw for frame in whole]
    assert text_of(pieces).split() == [f"t{n}" for n in range(1, 301)]


def test_two_readers_get_the_same_bytes(alice: Person) -> None:
    run_id = begin(alice.api, "[[tokens 60 delay 5]]")["run_id"]
    url = f"/api/runs/{run_id}/events/"

    with alice.api.stream("GET", url) as one, alice.http.stream("GET", url) as two:
        first, second = list(frames(one)), list(frames(two))

    assert [frame.raw for frame in first] == [frame.raw for frame in second]
    assert first[-1].event == "done"


def test_a_client_that_leaves_does_not_stop_the_run(alice: Person) -> None:
    body = {"message": "[[tokens 100 delay 5]]"}
    with alice.api.stream("POST", "/chat/stream", json=body) as response:
        run_id = response.headers["x-run-id"]
        next(frames(response))

    assert len(text_of(read(alice.api, run_id)).split()) == 100


def test_last_event_id_wins_over_after(alice: Person) -> None:
    run_id = begin(alice.api, "[[tokens 5 delay 1]]")["run_id"]
    last = read(alice.api, run_id)[-1].id

    headers = {"Last-Event-ID": str(last - 1)}
    with alice.api.stream("GET", f"/api/runs/{run_id}/events/?after=0", headers=headers) as rest:
        assert [frame.id for frame in frames(rest)] == [last]


def test_asking_again_after_the_end_answers_204(alice: Person) -> None:
    run_id = begin(alice.api, "[[text hi]]")["run_id"]
    last = read(alice.api, run_id)[-1].id

    response = alice.api.get(f"/api/runs/{run_id}/events/?after={last}")

    assert (response.status_code, response.content) == (204, b"")


def test_a_cursor_that_cannot_be_is_refused(alice: Person) -> None:
    run_id = begin(alice.api, "[[text hi]]")["run_id"]
    read(alice.api, run_id)

    for cursor in ("-1", "x", "9999", "1.5", "٣", "99999999999999999999"):
        response = alice.api.get(f"/api/runs/{run_id}/events/", params={"after": cursor})
        assert response.status_code == 400, cursor
        assert response.json()["code"] == "BAD_REQUEST"


def test_characters_no_database_holds_do_not_break_an_answer(alice: Person) -> None:
    body = b'{"message": "nul \\u0000, half \\ud83d, line \\u2028 end"}'
    headers = {"Content-Type": "application/json"}
    with alice.api.stream("POST", "/chat/stream", content=body, headers=headers) as response:
        seen = list(frames(response))

    assert seen[-1].event == "done"
    assert "\ufffd" in seen[-1].data["content"]


@pytest.mark.parametrize("ids", [("\ud800", "\ud801"), ("a\0", "a\ufffd")])
def test_ids_of_calls_that_no_database_holds_become_others(
    alice: Person, ids: tuple[str, str]
) -> None:
    calls = [f'[[call-as {json.dumps(call_id)} echo {{"text": "hi"}}]]' for call_id in ids]
    seen = ask(alice.api, f"{''.join(calls)}[[then]][[text Done.]]")

    assert [frame.data["outcome"] for frame in seen if frame.event == "tool_result"] == ["ok"] * 2
    assert seen[-1].data["content"] == "Done."


def test_a_call_with_such_an_id_is_asked_about_like_any(alice: Person) -> None:
    question = r'[[call-as "a\u0000" wipe {"path": "/a"}]][[then]][[text Done.]]'
    run, asked = waiting(alice, question)

    assert decide(alice, asked, "allow").status_code == 200
    assert read(alice.api, run["run_id"])[-1].data["content"] == "Done."


def test_a_key_whose_events_were_deleted_is_told_so(alice: Person) -> None:
    body, headers = {"message": "[[text Hi]]"}, {"Idempotency-Key": "pruned"}
    with alice.api.stream("POST", "/chat/stream", json=body, headers=headers) as response:
        assert [frame.event for frame in frames(response)][-1] == "done"
    RunEvent.objects.filter(run__owner=alice.user).delete()

    again = alice.api.post("/chat/stream", json=body, headers=headers)

    assert (again.status_code, again.json()["code"]) == (410, "EVENTS_DELETED")


def test_a_reader_without_credentials_gets_json(alice: Person) -> None:
    run_id = begin(alice.api, "[[text hi]]")["run_id"]

    response = httpx.get(f"{alice.site.url}/api/runs/{run_id}/events/")

    assert response.status_code == 401
    assert response.json()["code"] == "UNAUTHENTICATED"
