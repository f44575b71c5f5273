"""A finished run's events with their times, as JSON: to be played again."""

from uuid import UUID

from django.http import HttpResponse, HttpResponseBase

from chat.models import AgentRun
from chat.runs.pool import in_pool
from chat.runs.replay import replay_page
from chat.text import say
from chat.views.access import ApiRequest, api, failure, not_found
from chat.views.runs import find
from chat.views.stream import GONE, cursor


@api("GET")
async def replay(request: ApiRequest, pk: UUID) -> HttpResponseBase:
    """After `?after=`; 409 while the run goes on, 410 once its events were deleted."""
    run = await find(request, pk)
    if run is None:
        return not_found()
    return await in_pool(replay_of, run, cursor(request))


def replay_of(run: AgentRun, after: int) -> HttpResponse:
    """The answer for whoever may see this run."""
    if not run.is_over:
        return failure(say("The answer is still in progress."), "RUN_ACTIVE", status=409)
    text = replay_page(run, after)
    if text is None:
        return failure(GONE, "EVENTS_DELETED", status=410)
    return HttpResponse(text, content_type="application/json")
