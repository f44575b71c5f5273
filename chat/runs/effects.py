"""The rows that change with an event, in the same transaction as the event itself."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.db.models import Case, Exists, OuterRef, Value, When
from django.utils import timezone

from chat.events import ChatEvent, Kind
from chat.models import (
    AgentRun,
    Approval,
    Conversation,
    InputRequest,
    MCPServer,
    Message,
    RunStatus,
    ToolRun,
    ToolRunState,
    UsageEntry,
)
from chat.models.ledger import mark_of
from chat.models.rows import Prepared, insert, update, update_where
from chat.models.usage import Tally

Effect = Callable[[], None]


def of_event(run: AgentRun, event: ChatEvent) -> Effect | None:
    """What an event in mid-answer does to the rows beside it; None where it does nothing."""
    data, run_id = event.data, run.pk
    match event.kind:
        case Kind.TOOL_CALLS:
            return lambda: _request(run, data)
        case Kind.TOOL_EXECUTING:
            return lambda: _start(run_id, data["id"], event.rule)
        case Kind.APPROVAL_REQUIRED:
            return lambda: _await_approval(run_id, data)
        case Kind.APPROVAL_DECIDED:
            return lambda: _go_on(run_id, data)
        case Kind.TOOL_RESULT:
            return lambda: _finish(run_id, data)
        case Kind.INPUT_REQUIRED:
            return lambda: _ask(run_id, data)
        case Kind.NOTICE if "turns_left_out" in data:
            left_out = data["turns_left_out"]
            return lambda: _remember(run_id, left_out)
        case _:
            return None


_server_called = Prepared(lambda slug: MCPServer.objects.filter(slug=slug))


def _request(run: AgentRun, data: Mapping[str, Any]) -> None:
    now = timezone.now()
    slugs = {tool["server"] for tool in data["tools"] if "server" in tool}
    servers = {slug: server for slug in slugs for server in _server_called(slug)}
    for tool in data["tools"]:
        slug = tool.get("server", "")
        insert(
            ToolRun(
                run_id=run.pk,
                owner_id=run.owner_id,
                call_id=tool["id"],
                iteration=data["iteration"],
                tool=tool["name"][:200],
                title=tool.get("title", "")[:200],
                server=servers.get(slug),
                server_name=str(servers.get(slug) or slug)[:100],
                arguments=tool["arguments"],
                invalid_arguments=tool.get("invalid_arguments", ""),
                fingerprint=tool.get("fingerprint", ""),
                usage=data.get("usage", {}),
                created_at=now,
            )
        )


def _start(run_id: UUID, call_id: str, rule: str) -> None:
    values = {"rule": rule[:400]} if rule else {}
    _update(run_id, call_id, state=ToolRunState.RUNNING, started_at=timezone.now(), **values)


def _finish(run_id: UUID, data: Mapping[str, Any]) -> None:
    values = {"rule": data["rule"][:400]} if "rule" in data else {}
    _update(
        run_id,
        data["id"],
        state=data["outcome"],
        result=data["result"],
        result_bytes=data["bytes"],
        duration_ms=data["duration_ms"],
        finished_at=timezone.now(),
        mark=mark_of(run_id, data["id"], data["outcome"], data["result"]),
        **values,
    )
    if data["outcome"] in {ToolRunState.CANCELLED, ToolRunState.BLOCKED, ToolRunState.LOST}:
        # It may have waited for a person: nobody is asked any more.
        called = ToolRun.objects.filter(run=run_id, call_id=data["id"])
        asked = Approval.objects.filter(tool_run__in=called, state=Approval.State.OPEN)
        asked.update(state=Approval.State.CANCELLED)
        _set_status(run_id)


def _await_approval(run_id: UUID, data: Mapping[str, Any]) -> None:
    state = ToolRunState.AWAITING_APPROVAL
    _update(run_id, data["id"], state=state, rule=data["rule"][:400])
    AgentRun.objects.filter(pk=run_id).update(status=RunStatus.AWAITING_APPROVAL)
    Approval.objects.create(
        tool_run_id=data["tool_run_id"],
        fingerprint=data["fingerprint"],
        arguments=data["arguments"],
        expires_at=data["expires_at"],
    )


def _go_on(run_id: UUID, data: Mapping[str, Any]) -> None:
    _update(run_id, data["id"], state=ToolRunState.REQUESTED)
    if "arguments" in data:
        # From here on without what is to be redacted.
        asked = Approval.objects.filter(tool_run__run=run_id, tool_run__call_id=data["id"])
        asked.update(changed_arguments=data["arguments"])
    _set_status(run_id)


def _set_status(run_id: UUID) -> None:
    """A run that waited for a person does so as long as any of its calls does."""
    waiting = ToolRun.objects.filter(run=OuterRef("pk"), state=ToolRunState.AWAITING_APPROVAL)
    still = When(Exists(waiting), then=Value(RunStatus.AWAITING_APPROVAL))
    status = Case(still, default=Value(RunStatus.RUNNING))
    AgentRun.objects.filter(pk=run_id, status=RunStatus.AWAITING_APPROVAL).update(status=status)


def _update(run_id: UUID, call_id: str, **values: Any) -> None:
    update_where(ToolRun, {"run": run_id, "call_id": call_id}, **values)


def _ask(run_id: UUID, data: Mapping[str, Any]) -> None:
    InputRequest.objects.create(
        pk=data["id"],
        run_id=run_id,
        call_id=data["call_id"],
        tool=data["tool"][:200],
        server_name=data["server"][:100],
        mode=data["mode"],
        message=data["message"],
        schema=data.get("schema", {}),
        url=data.get("url", "")[:2000],
        expires_at=data["expires_at"],
    )


def _remember(run_id: UUID, turns_left_out: int) -> None:
    AgentRun.objects.filter(pk=run_id).update(turns_left_out=turns_left_out)


def of_ending(
    run: AgentRun, event: ChatEvent, status: RunStatus, steps: list[dict[str, Any]], text: str
) -> Effect:
    """The end of a run: its status, the answer as a message, the place in the sidebar,
    what it used."""
    data, used = event.data, (run.tally or Tally()).take()

    def end() -> None:
        now = timezone.now()
        update(
            AgentRun,
            run.pk,
            status=status,
            finish_reason=data.get("finish_reason", ""),
            error_code=data.get("code", ""),
            error_message=data.get("message", ""),
            usage=data.get("usage", {}),
            finished_at=now,
        )
        if any("inputs" in call for step in steps for call in step["calls"]):
            # Nobody waits for these answers any more.
            InputRequest.objects.filter(run=run, state=InputRequest.State.OPEN).update(
                state=InputRequest.State.CANCELLED
            )
        answer = Message(
            conversation_id=run.conversation_id,
            parent_id=run.message_id,
            role=Message.Role.ASSISTANT,
            content=text,
            steps=steps,
            run=run,
        )
        insert(answer)
        update(Conversation, run.conversation_id, updated_at=now)
        insert(
            UsageEntry(person_id=run.owner_id, model_name=run.model_name, at=now, runs=1, **used)
        )

    return end
