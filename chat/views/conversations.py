"""Conversations over the API."""

from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpResponseBase, JsonResponse
from django.urls import reverse

from chat.models import AgentRun, Conversation, ToolRun
from chat.runs.pool import in_pool
from chat.views.access import ApiRequest, api, not_found
from chat.views.bodies import BadRequest
from chat.views.questions import ask

PAGE_SIZE = 50


@api("GET", "POST")
async def collection(request: ApiRequest) -> HttpResponseBase:
    """GET: the person's conversations, newest first, paged. POST: a new one with its question."""
    if request.method == "POST":
        return _started(await ask(request))
    number = request.GET.get("page") or "1"
    if not (number.isascii() and number.isdigit() and 0 < len(number) <= 9):
        raise BadRequest("page must be a number, 1 or more.")
    return JsonResponse(await in_pool(_page, request.person, int(number)))


@api("GET")
async def item(request: ApiRequest, pk: UUID) -> HttpResponseBase:
    """One conversation with its messages, runs and tool runs."""
    found = await in_pool(_whole, request.person, pk)
    return not_found() if found is None else JsonResponse(found)


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


def _page(owner: Any, number: int) -> dict[str, Any]:
    conversations = Conversation.objects.filter(owner=owner).order_by("-updated_at", "pk")
    page = Paginator(conversations, PAGE_SIZE).get_page(number)
    return {
        "conversations": [_head(conversation) for conversation in page],
        "page": page.number,
        "pages": page.paginator.num_pages,
        "total": page.paginator.count,
    }


def _head(conversation: Conversation) -> dict[str, Any]:
    return {
        "id": str(conversation.pk),
        "title": conversation.title,
        "model_name": conversation.current_model_name,
        "created_at": conversation.created_at.isoformat(),
        "updated_at": conversation.updated_at.isoformat(),
    }


def _whole(owner: Any, pk: UUID) -> dict[str, Any] | None:
    conversation = Conversation.objects.filter(pk=pk, owner=owner).first()
    if conversation is None:
        return None
    said = conversation.messages.order_by("pk")
    tool_runs = ToolRun.objects.filter(run__conversation=conversation).order_by("created_at", "pk")
    return {
        **_head(conversation),
        "system_prompt": conversation.system_prompt,
        "servers_off": conversation.servers_off,
        "messages": [
            {
                "id": message.pk,
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
