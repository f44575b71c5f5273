"""The agent loop: ask the model, run its tools, go on. Knows no database, no HTTP, no Django."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chat import events, transcript
from chat.agent.memory import Memory
from chat.agent.ports import Budget, NoLimits, Provider, Record, Toolbox
from chat.agent.resume import resume
from chat.agent.step import Reply, run_step
from chat.agent.tool_calls import run_tool_calls
from chat.errors import ContextTooLong, LimitReached, ProviderError
from chat.steps import Step
from chat.text import clean, say
from chat.tools import Tool, ToolCall
from chat.transcript import ChatMessage

UNKNOWN_TOOLS_IN_A_ROW = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """`iterations`: steps that may ask for tools. `context_tokens`: 0 where it is not known.

    `turns_left_out`: the oldest turns that are known not to fit.
    """

    iterations: int = 10
    context_tokens: int = 0
    turns_left_out: int = 0


async def run_agent(
    history: Sequence[ChatMessage],
    *,
    provider: Provider,
    toolbox: Toolbox,
    record: Record,
    limits: Limits,
    begun: Sequence[Step] = (),
    budget: Budget | None = None,
) -> None:
    """Answer the last question of `history`; the last event recorded is `done`.

    `begun`: what was recorded of this answer before it was cut; it is gone on with. Raises
    ProviderError when the model fails, LimitReached after `limits.iterations` steps that all
    asked for tools and QuotaExceeded where `budget` says so; whoever started the loop records the
    ending then.
    """
    budget = budget or NoLimits()
    discovery = await toolbox.discover()
    for failure in discovery.failures:
        await record(events.notice(failure, code="MCP_TOOLS_ERROR"))
    tools = {tool.name: tool for tool in discovery.tools}
    memory = Memory(history, max_tokens=limits.context_tokens, left_out=limits.turns_left_out)
    usage: Mapping[str, float] | None = None
    finished = 0
    if begun:
        names = [tool.name for tool in (*discovery.tools, *discovery.away)]
        resumed, finished = await resume(begun, toolbox, record, offered=names)
        memory.add(resumed)
        # What the steps before used is not known: neither is the sum.
        usage = {}
    known_ids, lost = call_ids(memory.messages) | call_ids(history), 0
    for iteration in range(finished + 1, limits.iterations + 1):
        await budget.check()
        reply = await _ask(provider, memory, discovery.tools, record, iteration)
        budget.spend(reply.usage)
        usage = reply.usage if usage is None else add_usage(usage, reply.usage)
        if not reply.calls:
            await record(events.done(reply.content, finish_reason=reply.finish_reason, usage=usage))
            return
        calls = with_unique_ids(reply.calls, known_ids)
        asked = events.tool_calls(calls, iteration=iteration, tools=tools, usage=reply.usage)
        await record(asked)
        results = await run_tool_calls(calls, toolbox, record, offered=list(tools))
        memory.add([transcript.assistant(reply.content, calls, reasoning=reply.reasoning)])
        memory.add(
            [
                transcript.tool(call.id, result.text, whole_bytes=result.whole_bytes)
                for call, result in zip(calls, results, strict=True)
            ]
        )
        lost = 0 if any(call.name in tools for call in calls) else lost + 1
        if lost == UNKNOWN_TOOLS_IN_A_ROW:
            raise ProviderError(say("The model keeps asking for tools that do not exist."))
    raise LimitReached(
        say(
            "Stopped after {iterations} rounds of tool calls without a final answer.",
            iterations=limits.iterations,
        )
    )


async def _ask(
    provider: Provider, memory: Memory, tools: Sequence[Tool], record: Record, iteration: int
) -> Reply:
    """One step; with fewer of the oldest turns, where the model says that it cannot read all."""
    if memory.fit(tools) or (iteration == 1 and memory.left_out):
        await record(events.turns_left_out(memory.left_out))
    while True:
        try:
            return await run_step(provider, memory.messages, tools, record, iteration=iteration)
        except ContextTooLong:
            if not memory.halve():
                raise
            await record(events.turns_left_out(memory.left_out))


def add_usage(total: Mapping[str, float], more: Mapping[str, float]) -> dict[str, float]:
    """The sum, as far as both are known: a part of a sum would look like all of it."""
    return {name: total[name] + more[name] for name in total if name in more}


def call_ids(history: Sequence[ChatMessage]) -> set[str]:
    return {call["id"] for message in history for call in message.get("tool_calls", ())}


def with_unique_ids(calls: Sequence[ToolCall], known: set[str]) -> list[ToolCall]:
    """The same calls under ids that this conversation has not seen; some models repeat theirs."""
    unique = []
    for call in calls:
        if call.id != clean(call.id) or not 0 < len(call.id) <= 200 or call.id in known:
            call = replace(call, id=f"call_{uuid.uuid4().hex}")
        known.add(call.id)
        unique.append(call)
    return unique
