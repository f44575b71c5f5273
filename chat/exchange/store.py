"""Makes a conversation of a document: ended runs, and nothing that is executed."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from chat import events
from chat.exchange.document import IMPORTED, Json
from chat.models import AgentRun, Conversation, Message, RunEvent, RunStatus, ToolRun
from chat.models.ledger import mark_of

BATCH = 500


def store_document(owner: Any, document: Json) -> Conversation:
    """The owner's from now on, in one transaction. The tool log says what was not called here."""
    known = document["model_name"] in settings.LLM_MODELS
    with transaction.atomic():
        conversation = Conversation.objects.create(
            owner=owner,
            title=document["title"],
            title_source=Conversation.TitleSource.PERSON,
            system_prompt=document["system_prompt"],
            model_name=document["model_name"] if known else "",
            imported_at=timezone.now(),
            seen_at=timezone.now(),
        )
        messages = _store_messages(conversation, document["messages"])
        if document["current"] is not None:
            conversation.current = messages[document["current"]]
            conversation.save(update_fields=["current"])
    return conversation


def _store_messages(conversation: Conversation, said: list[Json]) -> list[Message]:
    messages = [_message(conversation, each) for each in said]
    # Their runs follow within the transaction: a run needs its question, an answer its run.
    Message.objects.bulk_create(messages, BATCH)
    for message, each in zip(messages, said, strict=True):
        message.parent = None if each["parent"] is None else messages[each["parent"]]
    Message.objects.bulk_update(messages, ["parent"], BATCH)
    answered = list(_answered(messages, said))
    runs = [_run(conversation, question, answer, each) for question, answer, each in answered]
    AgentRun.objects.bulk_create(runs, BATCH)
    pairs = list(zip(runs, (each for _, _, each in answered), strict=True))
    RunEvent.objects.bulk_create((_ending(run, each) for run, each in pairs), BATCH)
    tool_runs = (row for run, each in pairs for row in _tool_runs(run, each))
    ToolRun.objects.bulk_create(tool_runs, BATCH)
    _date(messages, said)
    _date(runs, [each for _, each in pairs])
    return messages


def _date(rows: list[Any], said: Iterable[Json]) -> None:
    """These fields are always now when a row is added."""
    for row, each in zip(rows, said, strict=True):
        row.created_at = each["created_at"]
    if rows:
        type(rows[0]).objects.bulk_update(rows, ["created_at"], BATCH)


def _message(conversation: Conversation, said: Json) -> Message:
    is_answer = said["role"] == Message.Role.ASSISTANT
    return Message(
        conversation=conversation,
        role=said["role"],
        content=said["content"],
        steps=[_step(step) for step in said.get("steps", ())],
        run_id=uuid4() if is_answer else None,
    )


def _step(step: Json) -> Json:
    calls = [_call(tool_run) for tool_run in step["tool_runs"]]
    return {"reasoning": step["reasoning"], "content": step["content"], "calls": calls}


def _call(tool_run: Json) -> Json:
    call = {
        "id": tool_run["call_id"],
        "name": tool_run["tool"],
        "arguments": tool_run["arguments"],
        "result": tool_run["result"],
        "outcome": tool_run["outcome"],
        "duration_ms": tool_run["duration_ms"] or 0,
    }
    optional = {name: tool_run[name] for name in ("title", "invalid_arguments", "bytes")}
    return {**call, **{name: value for name, value in optional.items() if value}}


def _answered(messages: list[Message], said: list[Json]) -> Iterator[tuple[Message, Message, Json]]:
    """Each answer with its question."""
    for message, each in zip(messages, said, strict=True):
        if message.role == Message.Role.ASSISTANT:
            yield messages[each["parent"]], message, each


def _run(conversation: Conversation, question: Message, answer: Message, said: Json) -> AgentRun:
    return AgentRun(
        pk=answer.run_id,
        conversation=conversation,
        owner_id=conversation.owner_id,
        message=question,
        status=said["status"],
        model_name=said["model_name"],
        last_seq=1,
        finish_reason=said["finish_reason"],
        error_code=said["error_code"],
        error_message=said["error_message"],
        usage=said["usage"],
        started_at=said["started_at"],
        finished_at=said["finished_at"] or said["created_at"],
        is_packed=True,
    )


def _ending(run: AgentRun, said: Json) -> RunEvent:
    """The one event of an imported run: whoever follows it gets its end."""
    if run.status in {RunStatus.FAILED, RunStatus.INTERRUPTED}:
        event = events.error(said["error_message"], code=said["error_code"] or "INTERNAL")
    else:
        reason = said["finish_reason"] or "stop"
        event = events.done(said["content"], finish_reason=reason, usage=said["usage"])
    ended_at: datetime = run.finished_at or said["created_at"]
    return RunEvent(
        run=run, seq=1, kind=event.kind, data=event.to_json(), created_at=ended_at, parts=None
    )


def _tool_runs(run: AgentRun, said: Json) -> Iterator[ToolRun]:
    for number, step in enumerate(said["steps"], 1):
        for tool_run in step["tool_runs"]:
            yield ToolRun(
                run=run,
                owner_id=run.owner_id,
                call_id=tool_run["call_id"],
                iteration=min(number, 30_000),
                tool=tool_run["tool"],
                title=tool_run["title"],
                server_name=tool_run["server"][: 100 - len(IMPORTED)] + IMPORTED,
                arguments=tool_run["arguments"],
                invalid_arguments=tool_run["invalid_arguments"],
                state=tool_run["outcome"],
                result=tool_run["result"],
                result_bytes=tool_run["bytes"],
                duration_ms=tool_run["duration_ms"],
                created_at=tool_run["started_at"] or said["created_at"],
                started_at=tool_run["started_at"],
                finished_at=tool_run["finished_at"],
                mark=mark_of(run.pk, tool_run["call_id"], tool_run["outcome"], tool_run["result"]),
            )
