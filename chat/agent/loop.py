"""The agent loop: ask the model, run its tools, go on. Knows no database, no HTTP, no Django."""

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from chat import events, transcript
from chat.agent.ports import Provider, Record, Toolbox
from chat.agent.step import run_step
from chat.agent.tool_calls import run_tool_calls
from chat.errors import LimitReached
from chat.tools import ToolCall
from chat.transcript import ChatMessage


async def run_agent(
    history: Sequence[ChatMessage],
    *,
    provider: Provider,
    toolbox: Toolbox,
    record: Record,
    max_iterations: int,
    tool_timeout_seconds: float,
) -> None:
    """Answer the last question of `history`; the last event recorded is `done`.

    Raises ProviderError when the model fails and LimitReached after `max_iterations` steps
    that all asked for tools; whoever started the loop records the ending then.
    """
    discovery = await toolbox.discover()
    for failure in discovery.failures:
        await record(events.notice(failure, code="MCP_TOOLS_ERROR"))
    tools = {tool.name: tool for tool in discovery.tools}
    messages, usage, known_ids = list(history), Counter[str](), set[str]()
    for iteration in range(1, max_iterations + 1):
        step = await run_step(provider, messages, discovery.tools, record)
        usage.update(step.usage)
        if not step.calls:
            await record(events.done(step.content, finish_reason=step.finish_reason, usage=usage))
            return
        calls = with_unique_ids(step.calls, known_ids)
        await record(events.tool_calls(calls, iteration=iteration, tools=tools))
        texts = await run_tool_calls(
            calls, toolbox, record, offered=list(tools), timeout_seconds=tool_timeout_seconds
        )
        messages.append(transcript.assistant(step.content, calls))
        messages.extend(
            transcript.tool(call.id, text) for call, text in zip(calls, texts, strict=True)
        )
    raise LimitReached(
        f"Stopped after {max_iterations} rounds of tool calls without a final answer."
    )


def with_unique_ids(calls: Sequence[ToolCall], known: set[str]) -> list[ToolCall]:
    """The same calls under ids that this run has not seen; some models repeat theirs."""
    unique = []
    for call in calls:
        if not call.id or call.id in known or len(call.id) > 200:
            call = replace(call, id=f"call_{uuid.uuid4().hex}")
        known.add(call.id)
        unique.append(call)
    return unique
