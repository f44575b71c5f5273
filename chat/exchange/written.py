"""A conversation as a document that can be exported. Asks the database; changes nothing."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone

from chat.exchange.document import FORMAT, IMPORTED, VERSION, Json
from chat.models import Conversation, Message, ToolRun
from chat.steps import Step

Calls = Mapping[str, ToolRun]
Places = Mapping[int, int]


def document_of(conversation: Conversation) -> Json:
    """All that was said, with tool runs. An answer that is in progress is not there yet."""
    messages = list(conversation.messages.order_by("pk").select_related("run"))
    places: Places = {message.pk: place for place, message in enumerate(messages)}
    calls: dict[Any, dict[str, ToolRun]] = {}
    for tool_run in ToolRun.objects.filter(run__conversation=conversation):
        calls.setdefault(tool_run.run_id, {})[tool_run.call_id] = tool_run
    return {
        "format": FORMAT,
        "version": VERSION,
        "exported_at": _time(timezone.now()),
        "title": conversation.title,
        "system_prompt": conversation.system_prompt,
        "model_name": conversation.model_name,
        "created_at": _time(conversation.created_at),
        "current": places.get(conversation.current_id or 0),
        "messages": [
            _message(message, places, calls.get(message.run_id, {})) for message in messages
        ],
    }


def _message(message: Message, places: Places, calls: Calls) -> Json:
    said = {
        "role": message.role,
        "parent": None if message.parent_id is None else places[message.parent_id],
        "content": message.content,
        "created_at": _time(message.created_at),
    }
    run = message.run
    if run is None:
        return said
    return {
        **said,
        "model_name": run.model_name,
        "status": run.status,
        "finish_reason": run.finish_reason,
        "error_code": run.error_code,
        "error_message": run.error_message[:5000],
        "usage": run.usage,
        "started_at": _time(run.started_at),
        "finished_at": _time(run.finished_at),
        "steps": [_step(step, calls) for step in message.read_steps()],
    }


def _step(step: Step, calls: Calls) -> Json:
    return {
        "reasoning": step.reasoning,
        "content": step.content,
        "tool_runs": [_tool_run(call, calls.get(call["id"])) for call in step.calls],
    }


def _tool_run(call: Mapping[str, Any], row: ToolRun | None) -> Json:
    server = (row and row.server_name) or call.get("server", "")
    files = call.get("attachments", ())
    return {
        "call_id": call["id"],
        "tool": call["name"][:200],
        "title": call.get("title", "")[:200],
        "server": server.removesuffix(IMPORTED)[:100],
        "arguments": call["arguments"],
        "invalid_arguments": call.get("invalid_arguments", ""),
        "outcome": call.get("outcome", "lost"),
        "result": call.get("result", ""),
        "bytes": call.get("bytes"),
        "duration_ms": call.get("duration_ms"),
        "started_at": _time(row.started_at if row else None),
        "finished_at": _time(row.finished_at if row else None),
        "files": [{name: file[name] for name in ("name", "mime_type", "bytes")} for file in files],
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
