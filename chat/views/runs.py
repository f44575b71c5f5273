"""Runs over the API."""

from typing import Any
from uuid import UUID

from django.http import HttpResponseBase, JsonResponse

from chat.models import AgentRun
from chat.runs import supervisor
from chat.runs.pool import in_pool
from chat.views.access import ApiRequest, api, not_found


@api("GET")
async def item(request: ApiRequest, pk: UUID) -> HttpResponseBase:
    """How a run is doing."""
    run = await find(request, pk)
    return not_found() if run is None else JsonResponse(_state(run))


@api("POST")
async def cancellations(request: ApiRequest, pk: UUID) -> HttpResponseBase:
    """Stop a run: 202 the first time, 200 when there is nothing left to stop."""
    run = await find(request, pk)
    if run is None:
        return not_found()
    is_first = await supervisor.cancel(run)
    return JsonResponse({"id": str(run.pk)}, status=202 if is_first else 200)


async def find(request: ApiRequest, pk: UUID) -> AgentRun | None:
    runs = AgentRun.objects.filter(owner=request.person, conversation__deleted_at=None)
    return await in_pool(runs.filter(pk=pk).first)


def _state(run: AgentRun) -> dict[str, Any]:
    state: dict[str, Any] = {
        "id": str(run.pk),
        "status": run.status,
        "conversation_id": str(run.conversation_id),
        "last_event_id": run.last_seq,
        "usage": run.usage,
    }
    if run.error_code:
        state["error"] = {"message": run.error_message, "code": run.error_code}
    return state
