"""Going on with a run that was cut: what is finished is kept, what is not known is said so."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from chat import events, transcript
from chat.agent.ports import Record, Toolbox
from chat.agent.tool_calls import run_tool_calls
from chat.steps import Step
from chat.tools import Tool, ToolCall
from chat.transcript import ChatMessage

LOST = (
    "The server stopped while this tool was running. Its outcome is unknown: it may have been "
    "executed or not; do not assume either way."
)
NOT_KEPT = (
    "Parts of this call's arguments are not kept, so it could not be made once the server had "
    "stopped. It was not executed."
)
GONE = "The tool is not what it was when it was asked for. It was not executed."


async def resume(
    begun: Sequence[Step], toolbox: Toolbox, record: Record, *, offered: Sequence[str]
) -> tuple[list[ChatMessage], int]:
    """Bring the steps of a run to the end of the last one that can be finished.

    Finished steps and calls are never repeated. Calls that had not started are executed; those
    that had are lost, unless their tool may be repeated. A step that was cut in its text is void:
    the model is to be asked again. Returns the messages of the finished steps, and how many of
    them asked for tools.
    """
    steps = deepcopy(list(begun))
    last = steps.pop() if steps else Step()
    finished = [step for step in steps if step.content or step.calls]
    iterations = sum(bool(step.calls) for step in finished)
    if last.calls:
        await _finish(last.calls, toolbox, record, offered)
        finished.append(last)
        iterations += 1
    elif last.content or last.reasoning:
        await record(events.step_restarted(iterations + 1))
    return transcript.of_steps(finished), iterations


async def _finish(
    calls: list[dict[str, Any]], toolbox: Toolbox, record: Record, offered: Sequence[str]
) -> None:
    """Give every call of a step its result."""
    again = []
    for call in calls:
        if "outcome" in call:
            continue
        tool = toolbox.find(call["name"])
        is_same = tool is None or _is_same(tool, call)
        has_run = call.get("state") == "running"
        # What a person allowed they allowed once.
        may_repeat = tool and tool.may_repeat and "approval" not in call
        is_whole = not call.get("redacted")
        if is_same and is_whole and (not has_run or may_repeat):
            again.append(call)
            continue
        text, outcome = (GONE if is_whole else NOT_KEPT), "blocked"
        if has_run:
            text, outcome = LOST, "lost"
        call["result"] = text
        await record(
            events.tool_result(call["id"], call["name"], text, outcome=outcome, duration_ms=0)
        )
    results = await run_tool_calls(list(map(_as_call, again)), toolbox, record, offered=offered)
    for call, result in zip(again, results, strict=True):
        call["result"], call["bytes"] = result.text, result.whole_bytes


def _is_same(tool: Tool, call: dict[str, Any]) -> bool:
    """Whether this is the tool that was asked for: its name may be another server's by now."""
    asked = call.get("server", tool.server), call.get("fingerprint", tool.fingerprint)
    return asked == (tool.server, tool.fingerprint)


def _as_call(call: dict[str, Any]) -> ToolCall:
    raw = call.get("invalid_arguments", "")
    return ToolCall(
        id=call["id"],
        name=call["name"],
        arguments=call["arguments"],
        invalid_arguments=raw,
        problem="The arguments are not a valid JSON object." if raw else "",
        extra=call.get("extra", {}),
    )
