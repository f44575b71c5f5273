"""Questions of servers reach the one call that they belong to, and nobody else."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from chat.errors import ToolError
from chat.mcp.hub import Hub
from chat.mcp.questions import Answer, OnQuestion, Question
from chat.mcp.toolbox import HubToolbox
from chat.tools import ToolCall
from tests.mcp.steps import config, toolbox_of
from tests.servers.asking_mcp_server import AskingMCPServer
from tests.servers.mcp_server import Era

ALICE = {"name": "Alice", "seats": 2, "meal": "fish", "window": True}


@pytest.fixture
def asking(era: Era) -> Iterator[AskingMCPServer]:
    with AskingMCPServer(era=era) as running:
        yield running


async def ignore(progress: float, total: float | None, message: str | None) -> None:
    pass


async def call(
    toolbox: HubToolbox, name: str, on_question: OnQuestion | None = None, **arguments: Any
) -> str:
    asked = ToolCall(id="c", name=name, arguments=arguments)
    return (await toolbox.call(asked, ignore, on_question)).text


async def test_a_form_is_answered(hub: Hub, asking: AskingMCPServer) -> None:
    toolbox = await toolbox_of(hub, config(asking.url))
    seen: list[Question] = []

    async def answer(question: Question) -> Answer:
        seen.append(question)
        return Answer(action="accept", content=ALICE)

    said = await call(toolbox, "book", answer, day="Friday")

    assert seen[0].message == "Whom shall I book for Friday?"
    assert seen[0].schema
    assert list(seen[0].schema["properties"]) == ["name", "seats", "meal", "window"]
    assert said == ('Booked for Friday: {"name":"Alice","seats":2,"meal":"fish","window":true}')


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_person_may_refuse(hub: Hub, asking: AskingMCPServer, action: Any) -> None:
    toolbox = await toolbox_of(hub, config(asking.url))

    async def refuse(question: Question) -> Answer:
        return Answer(action=action)

    assert await call(toolbox, "book", refuse, day="Friday") == f"Not booked: {action}"


async def test_where_nobody_can_be_asked_it_is_cancelled(hub: Hub, asking: AskingMCPServer) -> None:
    toolbox = await toolbox_of(hub, config(asking.url))

    assert await call(toolbox, "book", day="Friday") == "Not booked: cancel"


async def test_calls_side_by_side_are_asked_their_own_questions(
    hub: Hub, asking: AskingMCPServer
) -> None:
    toolbox = await toolbox_of(hub, config(asking.url))

    async def book(day: str) -> str:
        async def answer(question: Question) -> Answer:
            await asyncio.sleep(0)
            assert day in question.message
            return Answer(action="accept", content={**ALICE, "name": f"for {day}"})

        return await call(toolbox, "book", answer, day=day)

    days = [f"day {number}" for number in range(10)]
    said = await asyncio.gather(*map(book, days))

    assert all(f'"name":"for {day}"' in one for day, one in zip(days, said, strict=True))


async def test_the_time_of_a_person_is_not_the_tool_s(hub: Hub, asking: AskingMCPServer) -> None:
    toolbox = await toolbox_of(
        hub, config(asking.url, call_timeout_seconds=0.5, call_total_seconds=0.6)
    )
    is_late = asyncio.Event()
    asyncio.get_running_loop().call_later(1.5, is_late.set)

    async def answer(question: Question) -> Answer:
        await is_late.wait()
        return Answer(action="accept", content=ALICE)

    assert (await call(toolbox, "book", answer, day="Friday")).startswith("Booked")


@pytest.mark.parametrize("era", ["2025-11-25"], indirect=True)
async def test_only_safe_addresses_are_shown(hub: Hub, asking: AskingMCPServer) -> None:
    toolbox = await toolbox_of(hub, config(asking.url))
    shown: list[str] = []

    async def open_it(question: Question) -> Answer:
        shown.append(question.url)
        return Answer(action="accept")

    said = [
        await call(toolbox, "confirm", open_it, url=url)
        for url in ("https://pay.example/1", "http://pay.example/1", "javascript:alert(1)")
    ]

    assert shown == ["https://pay.example/1"]
    assert said == ["Confirmed: accept", "Confirmed: cancel", "Confirmed: cancel"]


@pytest.mark.parametrize("era", ["2025-11-25"], indirect=True)
async def test_a_call_that_wants_an_address_opened_first_is_made_again(
    hub: Hub, asking: AskingMCPServer
) -> None:
    toolbox = await toolbox_of(hub, config(asking.url))

    async def open_it(question: Question) -> Answer:
        return Answer(action="accept" if "good" in question.url else "decline")

    assert await call(toolbox, "gated", open_it, url="https://good.example/") == "open"
    with pytest.raises(ToolError, match="required"):
        await call(toolbox, "gated", open_it, url="https://bad.example/")


async def test_a_person_who_thinks_holds_nobody_up(hub: Hub, asking: AskingMCPServer) -> None:
    toolbox = await toolbox_of(hub, config(asking.url, calls_at_once=1, call_timeout_seconds=2))
    is_asked, may_answer = asyncio.Event(), asyncio.Event()

    async def think(question: Question) -> Answer:
        is_asked.set()
        await may_answer.wait()
        return Answer(action="decline")

    thinking = asyncio.create_task(call(toolbox, "book", think, day="Friday"))
    await asyncio.wait_for(is_asked.wait(), 5)

    assert await call(toolbox, "echo", text="meanwhile") == "meanwhile"
    may_answer.set()
    assert await thinking == "Not booked: decline"


async def test_text_that_is_none_ends_no_connection(hub: Hub, asking: AskingMCPServer) -> None:
    toolbox = await toolbox_of(hub, config(asking.url))

    assert await call(toolbox, "echo", text="\ud800") == "\ufffd"
    assert await call(toolbox, "echo", text="still here") == "still here"
