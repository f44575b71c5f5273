"""Conversations over the API."""

from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpResponseBase, JsonResponse
from django.urls import reverse

from chat.models import UNDO_SECONDS, AgentRun, Conversation, Message, ToolRun
from chat.runs import changes
from chat.runs.pool import in_pool
from chat.views.access import ApiRequest, api, not_found
from chat.views.bodies import page_number, read_changes
from chat.views.questions import ask

PAGE_SIZE = 50


@api("GET", "POST")
async def collection(request: ApiRequest) -> HttpResponseBase:
    """GET: the person's conversations, newest first, paged. POST: a new one with its question."""
    if request.method == "POST":
        return _started(await ask(request))
    is_archived = request.GET.get("archived") == "1"
    page = await in_pool(_page, request.person, page_number(request), is_archived=is_archived)
    return JsonResponse(page)


@api("GET", "PATCH", "DELETE")
async def item(request: ApiRequest, pk: UUID) -> HttpResponseBase:
    """One conversation with its messages, runs and tool runs; changed; or deleted."""
    found = await changes.find(request.person, pk)
    if found is None:
        return not_found()
    match request.method:
        case "PATCH":
            try:
                await changes.change(found, read_changes(request))
            except Message.DoesNotExist:
                return not_found()
            return JsonResponse(head(found))
        case "DELETE":
            await changes.remove(found)
            return JsonResponse({"id": str(found.pk), "restorable_seconds": UNDO_SECONDS})
        case _:
            return JsonResponse(await in_pool(_whole, found))


@api("POST")
async def restorations(request: ApiRequest, pk: UUID) -> HttpResponseBase:
    """Undo a deletion."""
    found = await changes.restore(request.person, pk)
    return not_found() if found is None else JsonResponse(head(found))


@api("POST")
async def messages(request: ApiRequest, pk: UUID) -> HttpResponseBase:
    """Ask in a conversation; 409 while an answer is in progress there."""
    return _started(await ask(request, pk))


def _started(run: AgentRun | None) -> HttpResponseBase:
    if run is None:
        return not_found()
    body = {
        "conversation_id": str(run.conversation_id),
        "run_id": str(run.pk),
        "events_url": reverse("api_run_events", kwargs={"pk": run.pk}),
        "model_name": run.model_name,
    }
    return JsonResponse(body, status=201)


def _page(owner: Any, number: int, *, is_archived: bool) -> dict[str, Any]:
    conversations = Conversation.objects.of(owner).filter(archived_at__isnull=not is_archived)
    page = Paginator(conversations.order_by("-updated_at", "pk"), PAGE_SIZE).get_page(number)
    return {
        "conversations": [head(conversation) for conversation in page],
        "page": page.number,
        "pages": page.paginator.num_pages,
        "total": page.paginator.count,
    }


def head(conversation: Conversation) -> dict[str, Any]:
    """What lists say of a conversation."""
    return {
        "id": str(conversation.pk),
        "title": conversation.title,
        "title_source": conversation.title_source,
        "is_pinned": conversation.pinned_at is not None,
        "is_archived": conversation.archived_at is not None,
        "model_name": conversation.current_model_name,
        "created_at": conversation.created_at.isoformat(),
        "updated_at": conversation.updated_at.isoformat(),
    }


def _whole(conversation: Conversation) -> dict[str, Any]:
    said = conversation.messages.order_by("pk")
    tool_runs = ToolRun.objects.filter(run__conversation=conversation).order_by("created_at", "pk")
    return {
        **head(conversation),
        "system_prompt": conversation.system_prompt,
        "servers_off": conversation.servers_off,
        "current_message_id": conversation.end(),
        "messages": [
            {
                "id": message.pk,
                "parent_id": message.parent_id,
                "role": message.role,
                "content": message.content,
                "run_id": str(message.run_id) if message.run_id else None,
                "created_at": message.created_at.isoformat(),
            }
            for message in said
        ],
        "runs": [
            {"id": str(run.pk), "status": run.status, "last_event_id": run.last_seq}
            for run in conversation.runs.order_by("created_at")
        ],
        "tool_runs": [_tool_run(tool_run) for tool_run in tool_runs],
    }


def _tool_run(tool_run: ToolRun) -> dict[str, Any]:
    return {
        "id": str(tool_run.pk),
        "run_id": str(tool_run.run_id),
        "call_id": tool_run.call_id,
        "tool": tool_run.tool,
        "server": tool_run.server_name,
        "arguments": tool_run.arguments,
        "state": tool_run.state,
        "result": tool_run.result,
        "duration_ms": tool_run.duration_ms,
    }
