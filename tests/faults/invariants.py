"""What holds for every run, whatever became of the processes that it lived in."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from chat.models import AgentRun, LedgerEntry, Message, RunEvent, ToolRun
from chat.models.runs import unpacked
from chat.runs.feed import read_batch
from chat.runs.recovery import MAX_TAKEOVERS
from chat.runs.upkeep.sealing import seal_all
from chat.runs.verification import Verification
from chat.steps import Steps
from tests.faults.readers import Talk
from tests.faults.scripts import CountingMCPServer

TERMINAL = {"done", "error"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """One event as its row has it."""

    number: int
    kind: str
    data: dict[str, Any]
    frame: bytes


def log_of(run_id: str) -> list[Stored]:
    """The events of a run, with the bytes that everybody must have seen."""
    return [
        Stored(
            number=number,
            kind=row.kind,
            data=json.loads(data),
            frame=f"id: {number}\nevent: {row.kind}\ndata: {data}".encode(),
        )
        for row in RunEvent.objects.filter(run_id=UUID(run_id)).order_by("seq")
        for number, data in unpacked(row.seq, row.data, row.parts)
    ]


def replayed(run_id: UUID, after: int) -> bytes:
    """What a reader of a run that is over gets from this cursor on."""
    frames: list[bytes] = []
    while not (batch := read_batch(run_id, after + len(frames))).is_end:
        assert batch.frames
        frames += batch.frames
    return b"".join(frames + batch.frames)


def misread(run_id: str, log: list[Stored], cursors: Iterable[int]) -> list[str]:
    """Those of the cursors, in words, after which the rest of the log does not follow."""
    return [
        f"after {after} of {len(log)}: not the rest"
        for after in cursors
        if replayed(UUID(run_id), after) != b"".join(event.frame + b"\n\n" for event in log[after:])
    ]


def violations(talk: Talk, log: list[Stored], tools: CountingMCPServer) -> list[str]:
    """In words, whatever does not hold."""
    return list(_all(talk, log, tools))


def _all(talk: Talk, log: list[Stored], tools: CountingMCPServer) -> Iterator[str]:
    run = AgentRun.objects.get(pk=talk.run_id)
    yield from _of_numbers(run, log)
    yield from _of_the_end(run, log, talk)
    for seen in talk.seen:
        yield from _of_a_reader(seen.frames, seen.cut, log)
    yield from _of_tools(run, log, talk, tools)
    yield from _of_the_message(run, log)


def _of_numbers(run: AgentRun, log: list[Stored]) -> Iterator[str]:
    numbers = [event.number for event in log]
    if numbers != list(range(1, run.last_seq + 1)):
        yield f"the numbers are {numbers}, and the last one should be {run.last_seq}"


def _of_the_end(run: AgentRun, log: list[Stored], talk: Talk) -> Iterator[str]:
    ends = [event.number for event in log if event.kind in TERMINAL]
    if ends != [len(log)]:
        yield f"the endings are {ends} of {len(log)} events"
        return
    end, script = log[-1], talk.script
    expected = _status_of(end)
    if run.status != expected:
        yield f"the run is {run.status} and its ending says {expected}"
    if run.status == "completed" and (script.code or end.data["content"] != script.final):
        yield f"the answer is {end.data['content']!r} and should be {script.final or script.code!r}"
    if run.status == "failed" and end.data["code"] != script.code:
        yield f"it failed: {end.data}"
    if run.status == "interrupted" and run.takeovers <= MAX_TAKEOVERS:
        yield f"it was interrupted after {run.takeovers} deaths"
    if run.status == "cancelled" and not script.is_stopped:
        yield "it was cancelled, and nobody had asked for that"


def _status_of(end: Stored) -> str:
    if end.kind == "done":
        return "cancelled" if end.data["finish_reason"] == "cancelled" else "completed"
    return "interrupted" if end.data["code"] == "INTERRUPTED" else "failed"


def _of_a_reader(
    frames: dict[int, bytes], cut: list[tuple[int, bytes]], log: list[Stored]
) -> Iterator[str]:
    stored = {event.number: event.frame for event in log}
    for number, frame in frames.items():
        if stored.get(number) != frame:
            yield f"event {number} was seen as {frame!r} and is stored as {stored.get(number)!r}"
    for number, beginning in cut:
        if not (stored.get(number, b"") + b"\n\n").startswith(beginning):
            yield f"event {number} began as {beginning!r} and is stored as {stored.get(number)!r}"
    if sorted(frames) != sorted(stored):
        yield f"a reader has {len(frames)} of {len(stored)} events"


def _of_tools(
    run: AgentRun, log: list[Stored], talk: Talk, tools: CountingMCPServer
) -> Iterator[str]:
    for marker in talk.script.markers:
        if tools.count(marker) > 1:
            yield f"the call {marker} was executed {tools.count(marker)} times"
    rows = {row.call_id: row for row in ToolRun.objects.filter(run=run)}
    asked = [tool for event in log if event.kind == "tool_calls" for tool in event.data["tools"]]
    results = [event.data for event in log if event.kind == "tool_result"]
    ids = sorted(tool["id"] for tool in asked)
    if ids != sorted(rows) or ids != sorted(result["id"] for result in results):
        yield f"calls {ids}, rows {sorted(rows)}, results {[r['id'] for r in results]}"
        return
    markers = {tool["id"]: tool["arguments"]["marker"] for tool in asked}
    for result in results:
        row, marker = rows[result["id"]], markers[result["id"]]
        if (row.state, row.result) != (result["outcome"], result["result"]):
            yield f"the row of {marker} is {row.state}, its result {result['outcome']}"
        if result["outcome"] not in {"ok", "lost", "cancelled"}:
            yield f"the call {marker} ended as {result['outcome']}: {result['result']}"
        if result["outcome"] == "ok" and not tools.count(marker):
            yield f"the call {marker} has a result and was not executed"


def _of_the_message(run: AgentRun, log: list[Stored]) -> Iterator[str]:
    messages = list(Message.objects.filter(conversation=run.conversation_id).order_by("pk"))
    if [message.role for message in messages] != ["user", "assistant"]:
        yield f"the messages are {[message.role for message in messages]}"
        return
    answer = messages[1]
    text = folded(log)
    if answer.content != text or log[-1].data.get("content", text) != text:
        yield f"the message is {answer.content!r}; its deltas say {text!r}, its end {log[-1].data}"
    rows = RunEvent.objects.filter(run=run).order_by("seq")
    if answer.steps != Steps.of(row.to_event() for row in rows).to_json():
        yield "the message's steps are not the fold of its events"


def of_the_chain() -> list[str]:
    """Every tool call has its place, whoever died while it was given one."""
    seal_all()
    wrong = [f"in the chain: {problem}" for problem in Verification().problems()]
    places = LedgerEntry.objects.filter(removed="").count()
    if places != ToolRun.objects.count():
        wrong.append(f"{places} places for {ToolRun.objects.count()} tool runs")
    return wrong


def folded(log: list[Stored]) -> str:
    """The text after the last tool call, by a fold that is not the product's."""
    text = ""
    for event in log:
        if event.kind == "content":
            text += event.data["content"]
        elif event.kind in {"tool_calls", "step_restarted"}:
            text = ""
    return text
