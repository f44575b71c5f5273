"""Health, for whoever watches the process."""

import asyncio
from collections.abc import Awaitable

from channels.layers import get_channel_layer
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from chat.models import AgentRun
from chat.runs.engine import engine
from chat.runs.pool import in_pool

PROBE_SECONDS = 3


@require_safe
async def healthz(request: HttpRequest) -> HttpResponse:
    """200 when the process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
async def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database answers, else 503; `channel_layer` is told and does not count.

    Without a Redis answers go on, and reach readers elsewhere a little later. 503 also once the
    process is about to end: whoever balances load shall look elsewhere.
    """
    states = {
        "process": "leaving" if engine().is_leaving else "ok",
        "database": await _state(in_pool(_ask_database)),
        "channel_layer": await _state(_ask_layer()),
    }
    is_ready = states["process"] == states["database"] == "ok"
    return JsonResponse(states, status=200 if is_ready else 503)


async def _state(probe: Awaitable[None]) -> str:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            await probe
    except TimeoutError:
        return "no answer"
    except Exception as error:  # Whatever it is: this part does not answer.
        return type(error).__name__
    return "ok"


def _ask_database() -> None:
    """Fails also where it has no tables: one of the wrong name, or one that was never set up."""
    AgentRun.objects.exists()


async def _ask_layer() -> None:
    layer = get_channel_layer()
    name = await layer.new_channel()
    await layer.send(name, {"type": "probe"})
    await layer.receive(name)
