"""Event streams: plain async views, which Django cancels promptly when a reader leaves."""

from collections.abc import AsyncGenerator
from uuid import UUID

from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)

from chat.models import AgentRun, ApiToken, RunStatus
from chat.runs.feed import follow
from chat.runs.pool import in_pool
from chat.runs.readers import Reader
from chat.text import say
from chat.views.access import ApiRequest, api, failure, not_found
from chat.views.bodies import BadRequest
from chat.views.questions import ask
from chat.views.runs import find

GONE = say("What happened, and when, is no longer stored for this answer.")


@api("POST")
async def chat_stream(request: ApiRequest) -> HttpResponseBase:
    """Start a run and stream its events. A client that leaves does not stop the run."""
    run = await ask(request)
    if run is None:
        return not_found()
    if run.is_over and not await in_pool(_has_ending, run):
        return failure(GONE, "EVENTS_DELETED", status=410)
    return event_stream(request, run, after=0)


@api("POST")
async def chat(request: ApiRequest) -> HttpResponseBase:
    """Start a run and answer when it is over."""
    # Nobody sees what it waits for, unless the client says that somebody does.
    run = await ask(request, approvals="deny")
    if run is None:
        return not_found()
    async for _ in follow(run.pk, 0):
        pass
    run = await in_pool(AgentRun.objects.select_related("answer").filter(pk=run.pk).first)
    if run is None:
        return not_found()
    if not run.is_over:
        text = "The server is restarting; the answer goes on. Ask for it in a moment."
        return failure(text, "RESTARTING", status=503, run_id=str(run.pk))
    if run.status in {RunStatus.FAILED, RunStatus.INTERRUPTED}:
        return failure(run.error_message, run.error_code, status=502)
    return JsonResponse(
        {
            "content": run.answer.content,
            "conversation_id": str(run.conversation_id),
            "run_id": str(run.pk),
        }
    )


@api("GET")
async def run_events(request: ApiRequest, pk: UUID) -> HttpResponseBase:
    """Follow a run from any event on."""
    run = await find(request, pk)
    if run is None:
        return not_found()
    after = cursor(request)
    if after > run.last_seq:
        raise BadRequest(f"The run has {run.last_seq} events; {after} is beyond the last one.")
    if run.is_over and (after == run.last_seq or not await in_pool(_has_ending, run)):
        return HttpResponse(status=204)
    return event_stream(request, run, after)


def _has_ending(run: AgentRun) -> bool:
    """False once its events were deleted; see prune_events."""
    return run.events.filter(seq=run.last_seq).exists()


def cursor(request: HttpRequest) -> int:
    """Last-Event-ID, else ?after=, else 0. Raises BadRequest for anything but a number."""
    text = request.headers.get("Last-Event-ID") or request.GET.get("after") or "0"
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise BadRequest("The cursor must be the number of an event, 0 or more.")
    return int(text)


class EventStream(StreamingHttpResponse):
    """Frames as they come; nobody asks on the way whether they are bytes."""

    def __init__(self, frames: AsyncGenerator[bytes, None]) -> None:
        super().__init__(frames, content_type="text/event-stream")
        self._frames = frames

    def __aiter__(self) -> AsyncGenerator[bytes, None]:
        return self._frames


def event_stream(request: ApiRequest, run: AgentRun, after: int) -> EventStream:
    response = EventStream(follow(run.pk, after, reader_of(request, run)))
    # Neither browsers nor proxies may store, compress or buffer a stream.
    response.headers["Cache-Control"] = "no-cache, no-transform"
    response.headers["X-Accel-Buffering"] = "no"
    response.headers["X-Conversation-Id"] = str(run.conversation_id)
    response.headers["X-Run-Id"] = str(run.pk)
    return response


def reader_of(request: ApiRequest, run: AgentRun) -> Reader:
    """Who reads this run, and by what right."""
    if getattr(request, "token_user", None) is None:
        key = request.session.session_key or ""
        return Reader(person_id=request.person.pk, run_id=run.pk, session_key=key)
    token = request.headers["Authorization"].partition(" ")[2].strip()
    return Reader(person_id=request.person.pk, run_id=run.pk, token_hash=ApiToken.hash_of(token))
