"""The tool calls of one step, side by side. Every failure becomes a text for the model."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

from chat import events
from chat.agent.ports import Record, Toolbox
from chat.errors import ToolBlocked, ToolError
from chat.text import clean, cut, size_of
from chat.tools import MAX_RESULT_BYTES, ToolCall, ToolResult

NAMES_SHOWN = 20
PROGRESS_SECONDS = 0.2
PROGRESS_CHARACTERS = 500


async def run_tool_calls(
    calls: Sequence[ToolCall],
    toolbox: Toolbox,
    record: Record,
    *,
    offered: Sequence[str],
) -> list[ToolResult]:
    """Execute all calls at once and return their results in the order of the calls.

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
) -> ToolResult:
    started = time.monotonic()
    try:
        result = await _execute(call, toolbox, record, offered)
        outcome = "tool_error" if result.is_error else "ok"
    except ToolError as error:
        result, outcome = ToolResult(text=clean(str(error))), error.outcome
    except asyncio.CancelledError:
        cancelled = ToolResult(text="The call was cancelled.")
        await record(_result(call, cancelled, "cancelled", started))
        raise
    result = _bounded(result)
    await record(_result(call, result, outcome, started))
    return result


async def _execute(
    call: ToolCall,
    toolbox: Toolbox,
    record: Record,
    offered: Sequence[str],
) -> ToolResult:
    if call.problem:
        raise ToolError(call.problem)
    # Checked here, at execution: what the model was offered is not what it asks for.
    if call.name not in offered or toolbox.find(call.name) is None:
        names = ", ".join(offered[:NAMES_SHOWN]) or "none"
        raise ToolBlocked(f"There is no tool named {call.name!r}. The tools are: {names}.")
    await record(events.tool_executing(call))

    told_at = 0.0

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        nonlocal told_at
        # A row for each would be a gift to a server that reports all the time.
        if (now := time.monotonic()) - told_at >= PROGRESS_SECONDS:
            told_at = now
            text = clean(message or "")[:PROGRESS_CHARACTERS]
            await record(events.tool_progress(call, progress, total, text))

    return await toolbox.call(call, on_progress)


def _bounded(result: ToolResult) -> ToolResult:
    """The last word on its length; a toolbox that can keep the whole of it has done so by now."""
    whole_bytes = result.whole_bytes or size_of(result.text)
    return replace(result, text=cut(result.text, MAX_RESULT_BYTES), whole_bytes=whole_bytes)


def _result(call: ToolCall, result: ToolResult, outcome: str, started: float) -> events.ChatEvent:
    return events.tool_result(
        call.id,
        call.name,
        result.text,
        outcome=outcome,
        duration_ms=round((time.monotonic() - started) * 1000),
        whole_bytes=result.whole_bytes,
        attachments=result.attachments,
    )
