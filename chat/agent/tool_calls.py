"""The tool calls of one step, side by side. Every failure becomes a text for the model."""

import asyncio
import json
import math
import time
from collections.abc import Sequence
from dataclasses import replace

from chat import events
from chat.agent.ports import Admission, Record, Toolbox
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
    started, rule = time.monotonic(), ""
    admission = Admission(call=call)
    try:
        admission = await _admit(call, toolbox, offered)
        # How long a person took to decide is not how long the tool took.
        started = time.monotonic()
        result = await _execute(admission, toolbox, record)
        outcome = "tool_error" if result.is_error else "ok"
    except ToolError as error:
        result, outcome = ToolResult(text=clean(str(error))), error.outcome
        rule = error.rule if isinstance(error, ToolBlocked) else ""
    except asyncio.CancelledError:
        cancelled = ToolResult(text="The call was cancelled.")
        await record(_result(call, cancelled, "cancelled", started))
        raise
    result = _bounded(_told(result, admission))
    await record(_result(call, result, outcome, started, rule))
    return result


async def _admit(call: ToolCall, toolbox: Toolbox, offered: Sequence[str]) -> Admission:
    if call.problem:
        raise ToolError(call.problem)
    # Checked here, at execution: what the model was offered is not what it asks for.
    if call.name not in offered or toolbox.find(call.name) is None:
        names = ", ".join(offered[:NAMES_SHOWN]) or "none"
        raise ToolBlocked(f"There is no tool named {call.name!r}. The tools are: {names}.")
    return await toolbox.admit(call)


async def _execute(admission: Admission, toolbox: Toolbox, record: Record) -> ToolResult:
    call = admission.call
    await record(events.tool_executing(call, rule=admission.rule))

    told_at = 0.0

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        nonlocal told_at
        if not math.isfinite(progress + (total or 0)):
            return  # 1e999, say, which is read as infinity; no JSON of ours could tell it.
        # A row for each would be a gift to a server that reports all the time.
        if (now := time.monotonic()) - told_at >= PROGRESS_SECONDS:
            told_at = now
            text = clean(message or "")[:PROGRESS_CHARACTERS]
            await record(events.tool_progress(call, progress, total, text))

    return await toolbox.call(call, on_progress)


def _told(result: ToolResult, admission: Admission) -> ToolResult:
    """The model knows what it asked for; what was executed may be something else."""
    if not admission.is_changed:
        return result
    arguments = json.dumps(dict(admission.call.arguments), ensure_ascii=False)
    note = f"[The person changed the arguments before allowing this call, to: {arguments}]"
    size = size_of(note) + 1
    whole_bytes = result.whole_bytes + size if result.whole_bytes else 0
    return replace(result, text=f"{note}\n{result.text}", whole_bytes=whole_bytes)


def _bounded(result: ToolResult) -> ToolResult:
    """The last word on its length; a toolbox that can keep the whole of it has done so by now."""
    whole_bytes = result.whole_bytes or size_of(result.text)
    return replace(result, text=cut(result.text, MAX_RESULT_BYTES), whole_bytes=whole_bytes)


def _result(
    call: ToolCall, result: ToolResult, outcome: str, started: float, rule: str = ""
) -> events.ChatEvent:
    return events.tool_result(
        call.id,
        call.name,
        result.text,
        outcome=outcome,
        duration_ms=round((time.monotonic() - started) * 1000),
        whole_bytes=result.whole_bytes,
        attachments=result.attachments,
        rule=rule,
    )
