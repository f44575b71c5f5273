"""The tool calls of one step, side by side. Every failure becomes a text for the model."""

import asyncio
import time
from collections.abc import Sequence

from chat import events
from chat.agent.ports import Record, Toolbox
from chat.errors import ToolBlocked, ToolError
from chat.tools import ToolCall

NAMES_SHOWN = 20


async def run_tool_calls(
    calls: Sequence[ToolCall],
    toolbox: Toolbox,
    record: Record,
    *,
    offered: Sequence[str],
) -> list[str]:
    """Execute all calls at once and return their texts in the order of the calls.

    Each call is recorded to its end, also when this is cancelled: then the tools are
    cancelled and what had not ended has the outcome "cancelled".
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_run_one(call, toolbox, record, offered)) for call in calls]
    except BaseExceptionGroup as failures:
        # Tool failures never get here; what does (the run was lost) is the same for all calls.
        raise failures.exceptions[0] from failures
    return [task.result() for task in tasks]


async def _run_one(
    call: ToolCall,
    toolbox: Toolbox,
    record: Record,
    offered: Sequence[str],
) -> str:
    started = time.monotonic()
    try:
        text = await _execute(call, toolbox, record, offered)
        outcome = "ok"
    except ToolError as error:
        text, outcome = str(error), error.outcome
    except asyncio.CancelledError:
        await record(_result(call, "The call was cancelled.", "cancelled", started))
        raise
    await record(_result(call, text, outcome, started))
    return text


async def _execute(
    call: ToolCall,
    toolbox: Toolbox,
    record: Record,
    offered: Sequence[str],
) -> str:
    if call.problem:
        raise ToolError(call.problem)
    # Checked here, at execution: what the model was offered is not what it asks for.
    if call.name not in offered or toolbox.find(call.name) is None:
        names = ", ".join(offered[:NAMES_SHOWN]) or "none"
        raise ToolBlocked(f"There is no tool named {call.name!r}. The tools are: {names}.")
    await record(events.tool_executing(call))

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        await record(events.tool_progress(call, progress, total, message))

    result = await toolbox.call(call, on_progress)
    if result.is_error:
        raise ToolError(result.text)
    return result.text


def _result(call: ToolCall, text: str, outcome: str, started: float) -> events.ChatEvent:
    duration_ms = round((time.monotonic() - started) * 1000)
    return events.tool_result(call.id, call.name, text, outcome=outcome, duration_ms=duration_ms)
