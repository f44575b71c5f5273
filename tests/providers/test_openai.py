"""The OpenAI-compatible provider against a scripted model on a socket."""

import asyncio
import time
from contextlib import aclosing
from typing import Any

import httpx
import pytest

from chat import transcript
from chat.agent.ports import (
    ContentDelta,
    ProviderEvent,
    ReasoningDelta,
    StepFinished,
    ToolCallsAsked,
)
from chat.errors import ProviderError
from chat.providers.openai import OpenAIProvider, Timeouts
from chat.tools import Tool
from tests.servers.model_server import ScriptedModelServer

KEY = "sk-a-secret-key"
TOOL = Tool(name="echo", description="Echo", input_schema={"type": "object", "properties": {}})


@pytest.fixture
def provider(model_server: ScriptedModelServer, http: httpx.AsyncBaseTransport) -> OpenAIProvider:
    return OpenAIProvider(
        base_url=model_server.base_url,
        api_key=KEY,
        model_name="scripted",
        http_client=http,
        timeouts=Timeouts(connect=2, first_token=0.5, idle=0.5),
    )


async def answer(provider: OpenAIProvider, question: str) -> list[ProviderEvent]:
    stream = provider.chat_stream([transcript.user(question)], [TOOL])
    return [event async for event in stream]


async def test_text_reasoning_and_usage(provider: OpenAIProvider) -> None:
    events = await answer(provider, "[[reason Hm.]][[text Hello, world]][[usage 3 4]]")

    assert events == [
        ReasoningDelta(text="Hm."),
        ContentDelta(text="Hello, "),
        ContentDelta(text="world"),
        StepFinished(finish_reason="stop", usage={"input_tokens": 3, "output_tokens": 4}),
    ]


@pytest.mark.parametrize(
    ("said", "last"),
    [
        ("[[text All of it.]][[finished-stall stop]]", ContentDelta(text="it.")),
        ("[[call echo {}]][[finished-stall tool_calls]]", "echo"),
    ],
)
async def test_a_model_that_has_said_how_it_ended_is_not_waited_for_long(
    model_server: ScriptedModelServer, http: httpx.AsyncBaseTransport, said: str, last: Any
) -> None:
    patient = OpenAIProvider(
        base_url=model_server.base_url,
        api_key=KEY,
        model_name="scripted",
        http_client=http,
        timeouts=Timeouts(idle=60, ending=0.2),
    )
    async with asyncio.timeout(20):
        *_, event, finished = await answer(patient, said)

    asked = event.calls[0].name if isinstance(event, ToolCallsAsked) else event
    assert (asked, finished) == (last, StepFinished(finish_reason="stop", usage={}))


async def test_the_request_is_what_apis_expect(
    provider: OpenAIProvider, model_server: ScriptedModelServer
) -> None:
    await answer(provider, "hi")

    headers, body = model_server.requests[-1]
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["accept-encoding"] == "identity"
    assert body["stream"] is True
    assert body["tools"] == [TOOL.to_tool_definition()]


async def test_fragments_become_calls(provider: OpenAIProvider) -> None:
    question = '[[call echo {"text": "a [b]"}]][[call other]][[raw-arguments echo {no]]'
    asked = (await answer(provider, question))[0]

    assert isinstance(asked, ToolCallsAsked)
    good, empty, bad = asked.calls
    assert (good.name, good.arguments) == ("echo", {"text": "a [b]"})
    assert (empty.name, empty.arguments) == ("other", {})
    assert (bad.arguments, bad.invalid_arguments) == ({}, "{no")
    assert bad.problem
    assert len({call.id for call in asked.calls}) == 3


@pytest.mark.parametrize(
    ("question", "code", "says"),
    [
        ("[[status 401]]", "LLM_AUTH", "key"),
        ("[[status 404]]", "LLM_ERROR", "/v1"),
        ("[[status 429 retry-after 3]]", "LLM_RATE_LIMITED", "again"),
        ("[[status 500]]", "LLM_ERROR", "500"),
        ("[[error the cat is on the keyboard]]", "LLM_ERROR", "keyboard"),
        ("[[body text/html <html>]]", "LLM_ERROR", "/v1"),
        ("[[text half an]][[cut]]", "LLM_INCOMPLETE", "broke off"),
        ("[[call echo]][[finish length]]", "LLM_INCOMPLETE", "cut off"),
        ("[[stall]]", "LLM_TIMEOUT", "silent"),
        ("[[text a]][[stall]]", "LLM_TIMEOUT", "silent"),
    ],
)
async def test_failures_are_sentences_with_a_code(
    provider: OpenAIProvider, question: str, code: str, says: str
) -> None:
    with pytest.raises(ProviderError) as failed:
        await answer(provider, question)

    assert failed.value.code == code
    assert says in str(failed.value)
    assert KEY not in str(failed.value)


async def test_a_completion_that_is_no_stream_is_accepted(provider: OpenAIProvider) -> None:
    body = '{"choices": [{"message": {"content": "Whole."}, "finish_reason": "stop"}]}'

    events = await answer(provider, f"[[body application/json {body}]]")

    assert events == [ContentDelta(text="Whole."), StepFinished()]


async def test_closing_the_generator_closes_the_connection(
    provider: OpenAIProvider, model_server: ScriptedModelServer
) -> None:
    aborted = len(model_server.aborted)
    messages = [transcript.user("[[tokens 5000 delay 5]]")]
    async with aclosing(provider.chat_stream(messages, [])) as stream:
        await anext(stream)

    began = time.monotonic()
    while len(model_server.aborted) == aborted:
        assert time.monotonic() - began < 5
        await asyncio.sleep(0.01)
