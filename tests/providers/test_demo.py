"""The demo model: it asks for fitting tools, speaks of their results, and is honest."""

import re
from html import unescape

import pytest
from django.template.loader import render_to_string
from django.utils.translation import override

from chat import transcript
from chat.agent.ports import ContentDelta, StepFinished, ToolCallsAsked
from chat.providers.demo import DemoProvider
from chat.providers.demo_intents import read
from chat.tools import Tool, ToolCall

NAMES = [
    "current_time",
    "convert_time",
    "calculate",
    "convert_units",
    "search_docs",
    "ring_bell",
    "reset_bell",
    "slow_task",
]
TOOLS = [Tool(name=name, description="", input_schema={"type": "object"}) for name in NAMES]


async def calls_for(question: str, tools: list[Tool]) -> list[tuple[str, dict[str, object]]]:
    stream = DemoProvider().chat_stream([transcript.user(question)], tools)
    events = [event async for event in stream]
    assert isinstance(events[-1], StepFinished)
    asked = [event for event in events if isinstance(event, ToolCallsAsked)]
    return [(call.name, dict(call.arguments)) for call in asked[0].calls] if asked else []


async def text_for(messages: list[transcript.ChatMessage], tools: list[Tool]) -> str:
    stream = DemoProvider().chat_stream(messages, tools)
    return "".join([event.text async for event in stream if isinstance(event, ContentDelta)])


@pytest.mark.parametrize(
    ("question", "tool", "arguments"),
    [
        ("what time is it in Tokyo", "current_time", {"timezone": "Tokyo"}),
        ("18% of 249.90", "calculate", {"expression": "18% of 249.90"}),
        ("What is 12*(3+4)?", "calculate", {"expression": "12*(3+4)"}),
        (
            "convert 5 miles to km",
            "convert_units",
            {"value": 5, "from_unit": "miles", "to_unit": "km"},
        ),
        (
            "how many kg is 10 lb?",
            "convert_units",
            {"value": 10, "from_unit": "lb", "to_unit": "kg"},
        ),
        (
            "3pm in London in Tokyo time",
            "convert_time",
            {"time": "3pm", "from_timezone": "London", "to_timezone": "Tokyo"},
        ),
        ("search the docs for journal", "search_docs", {"query": "journal", "limit": 5}),
        ("run the slow task for 5 seconds", "slow_task", {"seconds": 5, "steps": 5}),
        ("Please ring the bell 3 times", "ring_bell", {"times": 3}),
        ("and then reset the bell", "reset_bell", {}),
    ],
)
async def test_a_question_gets_its_tool(
    question: str, tool: str, arguments: dict[str, object]
) -> None:
    assert await calls_for(question, TOOLS) == [(tool, arguments)]


@pytest.mark.parametrize("language", ["en", "de"])
def test_what_the_page_suggests_is_understood_in_its_language(language: str) -> None:
    with override(language):
        page = render_to_string("chat/_empty.html", {"is_demo_model": True})

    asked = [read(unescape(value)) for value in re.findall(r'value="([^"]+)"', page)]

    assert [[intent.tool for intent in intents] for intents in asked] == [
        ["current_time", "current_time"],
        ["calculate", "convert_units"],
        ["slow_task"],
        ["search_docs"],
    ]


async def test_several_in_one_question_are_parallel_calls() -> None:
    calls = await calls_for(
        "What time is it in Tokyo and New York, what is 18% of 249.90, and convert 5 miles to km",
        TOOLS,
    )

    assert [name for name, _ in calls] == [
        *("current_time", "current_time", "calculate", "convert_units")
    ]
    assert [arguments.get("timezone") for _, arguments in calls[:2]] == ["Tokyo", "New York"]


async def test_a_prefixed_tool_is_found() -> None:
    tools = [Tool(name="demo_calculate", description="", input_schema={"type": "object"})]

    assert [name for name, _ in await calls_for("1+1", tools)] == ["demo_calculate"]


async def test_it_speaks_about_results() -> None:
    call = ToolCall(id="c1", name="calculate", arguments={"expression": "1+1"})
    messages = [
        transcript.user("1+1"),
        transcript.assistant("", [call]),
        transcript.tool("c1", "1+1 = 2"),
    ]

    assert "1+1 = 2" in await text_for(messages, TOOLS)


async def test_it_says_what_it_is_and_what_it_cannot() -> None:
    fallback = await text_for([transcript.user("Write me a poem")], TOOLS)
    assert "demo model" in fallback
    assert "OPENROUTER_API_KEY" in fallback

    without = await text_for([transcript.user("what time is it in Tokyo")], [])
    assert "no tool" in without
