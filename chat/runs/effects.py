"""The rows that change with an event, in the same transaction as the event itself."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.utils import timezone

from chat.events import ChatEvent, Kind
from chat.models import (
    AgentRun,
    Conversation,
    InputRequest,
    MCPServer,
    Message,
    RunStatus,
    ToolRun,
    ToolRunState,
)
from chat.models.rows import insert, update

Effect = Callable[[], None]


def of_event(run_id: UUID, event: ChatEvent) -> Effect | None:
    """What an event in mid-answer does to the rows beside it; None where it does nothing."""
    data = event.data
    match event.kind:
        case Kind.TOOL_CALLS:
            return lambda: _request(run_id, data)
        case Kind.TOOL_EXECUTING:
            return lambda: _update(
                run_id, data["id"], state=ToolRunState.RUNNING, started_at=timezone.now()
            )
        case Kind.TOOL_RESULT:
            return lambda: _update(
                run_id,
                data["id"],
                state=data["outcome"],
                result=data["result"],
                result_bytes=data["bytes"],
                duration_ms=data["duration_ms"],
                finished_at=timezone.now(),
            )
        case Kind.INPUT_REQUIRED:
            return lambda: _ask(run_id, data)
        case Kind.NOTICE if "turns_left_out" in data:
            left_out = data["turns_left_out"]
            return lambda: _remember(run_id, left_out)
        case _:
            return None


def _request(run_id: UUID, data: Mapping[str, Any]) -> None:
    now = timezone.now()
    slugs = {tool["server"] for tool in data["tools"] if "server" in tool}
    servers = {server.slug: server for server in MCPServer.objects.filter(slug__in=slugs)}
    ToolRun.objects.bulk_create(
        ToolRun(
            run_id=run_id,
            call_id=tool["id"],
            iteration=data["iteration"],
            tool=tool["name"][:200],
            title=tool.get("title", "")[:200],
            server=servers.get(tool.get("server", "")),
            server_name=str(servers.get(tool.get("server", "")) or tool.get("server", ""))[:100],
            arguments=tool["arguments"],
            invalid_arguments=tool.get("invalid_arguments", ""),
            fingerprint=tool.get("fingerprint", ""),
            created_at=now,
        )
        for tool in data["tools"]
    )


def _update(run_id: UUID, call_id: str, **values: Any) -> None:
    ToolRun.objects.filter(run_id=run_id, call_id=call_id).update(**values)


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
    """The end of a run: its status, the answer as a message, the place in the sidebar."""
    data = event.data

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

    return end
