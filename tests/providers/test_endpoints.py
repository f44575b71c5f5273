"""Endpoints with their own ways: refusals, demands, connections, against servers on sockets."""

import json
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncBaseTransport as Http

from chat import transcript
from chat.agent.ports import ContentDelta, ProviderEvent, ProviderNotice, ToolCallsAsked
from chat.errors import ContextTooLong, ProviderError
from chat.providers.http import create_http_client
from chat.providers.openai import OpenAIProvider
from chat.providers.watchdog import Timeouts
from chat.tools import Tool, ToolCall
from chat.transcript import ChatMessage
from tests.servers.raw_server import ANSWER, HANG, RawServer, delta, refusal, response, stream

KEY = "sk-canary-7f3a"
TOOL = Tool(name="echo", description="Echo", input_schema={"type": "object", "properties": {}})
QUESTION = [transcript.user("hi")]


def provider(base_url: str, http: Http, **times: float) -> OpenAIProvider:
    timeouts = Timeouts(**{"connect": 2, "first_token": 1, "idle": 1, **times})
    return OpenAIProvider(
        base_url=base_url, api_key=KEY, model_name="m", http_client=http, timeouts=timeouts
    )


async def answer(
    model: OpenAIProvider, messages: list[ChatMessage] | None = None
) -> list[ProviderEvent]:
    return [event async for event in model.chat_stream(messages or QUESTION, [TOOL])]


async def failure(reply: bytes, http: Http) -> ProviderError:
    with RawServer([reply]) as server, pytest.raises(ProviderError) as failed:
        await answer(provider(server.base_url, http))
    return failed.value


HTML = response("<!doctype html><h1>Sign in</h1>", headers="Content-Type: text/html\r\n")
REFUSALS: list[tuple[bytes, str, str]] = [
    (refusal(401, message=f"Incorrect API key: {KEY}"), "LLM_AUTH", "refused our key"),
    (refusal(403, message="no"), "LLM_AUTH", "refused our key"),
    (refusal(402, message="Insufficient credits"), "LLM_RATE_LIMITED", "no credit left"),
    (refusal(429, code="insufficient_quota", message="x"), "LLM_RATE_LIMITED", "no credit left"),
    (refusal(429, message="slow down"), "LLM_RATE_LIMITED", "asked too much"),
    (refusal(503, message="x"), "LLM_RATE_LIMITED", "overloaded"),
    (refusal(529, message="Overloaded"), "LLM_RATE_LIMITED", "overloaded"),
    (refusal(404, message="The model `m` does not exist"), "LLM_ERROR", "does not know this model"),
    (refusal(400, message="m is not a valid model ID"), "LLM_ERROR", "does not know this model"),
    (response(status="404 Not Found"), "LLM_ERROR", "usually ends in /v1"),
    (HTML, "LLM_ERROR", "usually ends in /v1"),
    (HTML.replace(b"200 OK", b"404 No"), "LLM_ERROR", "answered with a web page"),
    (refusal(302, "Location: http://elsewhere/\r\n"), "LLM_ERROR", "leads elsewhere"),
    (refusal(400, code="content_filter", message="x"), "LLM_ERROR", "content filter"),
    (response(json.dumps([{"error": {"message": "bad hair day", "code": 400}}]),
              status="400 Bad"), "LLM_ERROR", "bad hair day"),
    (response(""), "LLM_ERROR", "empty answer"),
    (stream({"error": {"message": "upstream died", "code": "server_error"}}), "LLM_ERROR",
     "(server_error). It said: upstream died"),
    (stream({"error": {"message": "slow", "code": 429}}), "LLM_RATE_LIMITED", "It said: slow"),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "code", "says"), REFUSALS)
async def test_a_refusal_is_a_sentence_with_a_code(
    http: Http, reply: bytes, code: str, says: str
) -> None:
    error = await failure(reply, http)

    assert error.code == code
    assert says in str(error)
    assert KEY not in str(error)


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 8192 tokens. However, you requested 9000.",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "the request exceeds the available context size. try increasing the context size",
        "Input length 9000 exceeds the context window of this model",
    ],
)
async def test_a_full_context_is_told_apart(http: Http, message: str) -> None:
    error = await failure(refusal(400, message=message), http)

    assert isinstance(error, ContextTooLong)
    assert "Start a new chat" in str(error)


async def test_the_wait_that_is_asked_for_is_kept(http: Http) -> None:
    seconds = await failure(refusal(429, "Retry-After: 7\r\n", message="x"), http)
    past = await failure(
        refusal(429, "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n", message="x"), http
    )

    assert (seconds.retry_after_seconds, past.retry_after_seconds) == (7, 0)


async def test_what_cannot_be_connected_to(http: Http, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(*certificate)
    with RawServer([ANSWER]) as plain, RawServer([ANSWER], tls=secure) as own:
        for base_url, says in (
            ("http://127.0.0.1:9/v1", "refused the connection"),
            ("http://no-such-host.invalid/v1", "host name"),
            (plain.base_url.replace("http:", "https:"), "does not speak TLS"),
            (own.base_url.replace("http:", "https:"), "SSL_CERT_FILE"),
        ):
            with pytest.raises(ProviderError) as failed:
                await answer(provider(base_url, http))
            assert says in str(failed.value)


def make_certificate(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext"
    files = ["subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    return certificate, key


async def test_a_certificate_of_ones_own_by_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(tmp_path)
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(*certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with RawServer([ANSWER], tls=secure) as own:
        async with create_http_client() as client:
            url = own.base_url.replace("http:", "https:")
            assert ContentDelta(text="Good.") in await answer(provider(url, client))


async def test_a_proxy_by_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer([ANSWER]) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        async with create_http_client() as client:
            assert await answer(provider("http://model.example/v1", client))

    assert proxy.requests[0].line.startswith("POST http://model.example/v1/chat/completions")


async def test_connections_are_reused(http: Http) -> None:
    with RawServer([ANSWER]) as server:
        model = provider(server.base_url, http)
        for _ in range(10):
            await answer(model)

        assert (len(server.requests), server.connections) == (10, 1)


async def test_a_kept_connection_that_was_closed_meanwhile_is_replaced(
    http: Http,
) -> None:
    with RawServer([ANSWER], closes_after=1) as server:
        model = provider(server.base_url, http)
        for _ in range(30):
            assert ContentDelta(text="Good.") in await answer(model)


async def test_reasoning_is_sent_back_only_where_it_is_demanded(
    http: Http,
) -> None:
    demand = refusal(
        400, message="The `reasoning_content` in the thinking mode must be passed back to the API."
    )
    call = ToolCall(id="c1", name="echo")
    history = [
        *QUESTION,
        transcript.assistant("", [call], reasoning="Hm."),
        transcript.tool("c1", "x"),
    ]
    with RawServer([demand, ANSWER]) as server:
        model = provider(server.base_url, http)
        await answer(model, history)
        await answer(model, history)

    sent = [seen.body["messages"][1] for seen in server.requests]
    assert ["reasoning_content" in message for message in sent] == [False, True, True]
    assert sent[1]["reasoning_content"] == "Hm."
    assert all("reasoning" not in message for message in sent)


async def test_what_an_endpoint_refuses_is_left_out_from_then_on(
    http: Http,
) -> None:
    replies = [
        refusal(400, message="Unrecognized request argument supplied: stream_options"),
        refusal(400, message="registry.ollama.ai/library/m does not support tools"),
        ANSWER,
    ]
    with RawServer(replies) as server:
        model = provider(server.base_url, http)
        first, second = await answer(model), await answer(model)

    bodies = [seen.body for seen in server.requests]
    assert ["stream_options" in body for body in bodies] == [True, False, False, False]
    assert ["tools" in body for body in bodies] == [True, True, False, False]
    assert all(isinstance(events[0], ProviderNotice) for events in (first, second))


async def test_opaque_fields_go_back_to_the_same_endpoint_only(
    http: Http,
) -> None:
    signature: dict[str, Any] = {"google": {"thought_signature": "c2ln"}}
    fragment = {
        "index": 0,
        "id": "c1",
        "type": "function",
        "function": {"name": "echo", "arguments": "{}"},
        "extra_content": signature,
    }
    asking = stream(delta(tool_calls=[fragment]), delta("tool_calls"))
    with RawServer([asking, ANSWER]) as server, RawServer([ANSWER]) as other:
        model = provider(server.base_url, http)
        asked = next(event for event in await answer(model) if isinstance(event, ToolCallsAsked))
        history = [*QUESTION, transcript.assistant("", asked.calls), transcript.tool("c1", "x")]
        await answer(model, history)
        await answer(provider(other.base_url, http), history)

    again, elsewhere = (seen.requests[-1].body["messages"][1] for seen in (server, other))
    assert again["tool_calls"][0]["extra_content"] == signature
    assert set(elsewhere["tool_calls"][0]) == {"id", "type", "function"}


async def test_a_server_that_never_answers_costs_the_bound(http: Http) -> None:
    with RawServer([HANG]) as server, pytest.raises(ProviderError) as failed:
        await answer(provider(server.base_url, http, first_token=0.2))

    assert failed.value.code == "LLM_TIMEOUT"


async def test_a_compressed_stream_is_a_failure_in_words(http: Http) -> None:
    packed = response(b"\x1f\x8b\x08\x00" + bytes(200), headers="Content-Encoding: gzip\r\n")

    error = await failure(packed, http)

    assert error.code == "LLM_INCOMPLETE"
