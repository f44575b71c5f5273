"""manage.py llm_check and ask --record: what a model's API can do, and what it sends."""

import time
from pathlib import Path

import pytest

from tests.servers.model_server import ScriptedModelServer
from tests.servers.raw_server import ANSWER, HANG, RawServer, delta, refusal, response, stream
from tests.start.steps import Installation

KEY = "sk-canary-7f3a"
USAGE = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4}}
ADD = {"index": 0, "id": "c1", "function": {"name": "add", "arguments": '{"a": 2, "b": 2}'}}
SLOW_SECONDS = 30


def check(bare: Installation, base_url: str) -> tuple[int, str]:
    began = time.monotonic()
    done = bare.manage("llm_check", LLM_BASE_URL=base_url, LLM_API_KEY=KEY, LLM_MODEL="m")
    assert time.monotonic() - began < SLOW_SECONDS
    assert KEY not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def test_a_model_that_does_all_of_it(bare: Installation) -> None:
    with RawServer([stream(delta(tool_calls=[ADD]), delta("tool_calls"), USAGE)]) as server:
        code, said = check(bare, server.base_url)

    assert code == 0
    for words in ("reachable and knows the model", "First sign", "calls tools", "reports usage"):
        assert words in said


def test_a_model_that_only_talks(bare: Installation) -> None:
    talk = stream(delta(content="It "), delta(content="is "), delta(content="4."), delta("stop"))
    with RawServer([talk]) as server:
        code, said = check(bare, server.base_url)

    assert code == 0
    for words in ("did not call the tool", "It streams: 3 pieces", "does not report usage"):
        assert words in said


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (refusal(401, message=f"Incorrect API key provided: {KEY}"), "refused our key"),
        (refusal(404, message="The model `m` does not exist"), "does not know this model"),
        (response("<!doctype html>Hello", headers="Content-Type: text/html\r\n"), "in /v1"),
        (response("<h1>Not Found</h1>", status="404 Not Found"), "in /v1"),
        (HANG, "silent for 12 seconds"),
    ],
)
def test_what_is_wrong_is_one_sentence(bare: Installation, reply: bytes, says: str) -> None:
    with RawServer([reply]) as server:
        code, said = check(bare, server.base_url)

    assert code != 0
    assert says in said
    assert len(said.strip().splitlines()) == 1


def test_the_demo_model_is_not_judged(bare: Installation) -> None:
    done = bare.manage("llm_check")

    assert done.returncode == 0
    assert done.stdout.startswith("This is the demo model, which comes along.")
    assert "may not work" not in done.stdout


def test_nobody_at_the_address(bare: Installation) -> None:
    code, said = check(bare, "http://127.0.0.1:9/v1")

    assert code != 0
    assert "refused the connection" in said


def test_a_recording_is_what_came_without_the_key(bare: Installation, tmp_path: Path) -> None:
    file = tmp_path / "capture.stream"
    body = f"data: {KEY}\n\n".encode() + ANSWER.partition(b"\r\n\r\n")[2]
    with RawServer([response(body, headers="Content-Type: text/event-stream\r\n")]) as server:
        bare.manage(
            *("ask", "--record", str(file), "hi"), LLM_BASE_URL=server.base_url, LLM_API_KEY=KEY
        )

    assert file.read_bytes() == body.replace(KEY.encode(), b"[key]")


def test_each_response_of_an_answer_is_recorded(
    bare: Installation, model_server: ScriptedModelServer, tmp_path: Path
) -> None:
    file = tmp_path / "capture.stream"
    done = bare.manage(
        *("ask", "--record", str(file), "[[call calculate {}]][[then]][[text Done.]]"),
        LLM_BASE_URL=model_server.base_url,
    )

    assert done.returncode == 0
    assert b"calculate" in file.read_bytes()
    assert b"Done." in (tmp_path / "capture.stream.2").read_bytes()


def test_a_recording_that_cannot_be_written_is_said(
    bare: Installation, model_server: ScriptedModelServer, tmp_path: Path
) -> None:
    done = bare.manage(
        *("ask", "--record", str(tmp_path / "no" / "folder"), "hi"),
        LLM_BASE_URL=model_server.base_url,
    )

    assert done.returncode != 0
    assert "could not be written" in done.stderr
