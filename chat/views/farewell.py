"""What is kept of a person, for themselves: to download, and to have deleted."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from chat.exchange.person import archive_of
from chat.models import ACTIVE_STATUSES, AccountClosing, AgentRun
from chat.runs import supervisor
from chat.runs.pool import in_pool, in_writer
from chat.runs.upkeep.accounts import erase_account, is_active
from chat.views.account import own_page, password_limit, show
from chat.views.pages import see_other

# What has not stopped by then is erased when it has.
STOP_SECONDS = 5
LOOK_SECONDS = 0.1


@own_page("GET")
async def download(request: HttpRequest) -> HttpResponse:
    """All of it as a zip file."""
    response = StreamingHttpResponse(_parts(archive_of(request.user)))
    response.headers["Content-Type"] = "application/zip"
    name = f"my-data-{timezone.now():%Y-%m-%d}.zip"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response  # type: ignore[return-value]


async def _parts(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (part := await in_pool(next, parts, None)) is not None:
        if part:
            yield part


@own_page("POST")
async def delete_account(request: HttpRequest) -> HttpResponse:
    """For good, at once; where an answer has to stop first, as soon as it has."""
    if limited := await password_limit(request):
        return limited
    person: Any = request.user
    # Not in the pool: hashing takes long, by design.
    if person.has_usable_password():
        is_right = await sync_to_async(person.check_password)(request.POST.get("password", ""))
        problem = _("That is not your password.")
    else:
        # Who came by single sign-on has none.
        is_right = request.POST.get("name", "") == person.get_username()
        problem = _("That is not your user name.")
    if not is_right:
        return await show(request, status=400, farewell_problem=problem)
    running = AgentRun.objects.filter(owner=person.pk, status__in=ACTIVE_STATUSES)
    runs = await in_pool(list, running)
    if not await in_writer(AccountClosing.close, person):
        problem = _("You are the last admin. Make somebody else one first.")
        return await show(request, status=400, farewell_problem=problem)
    for run in runs:
        await supervisor.cancel(run)
    await _stopped(person.pk)
    await erase_account(person.pk)
    return see_other(reverse("login"))


async def _stopped(person_id: int) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + STOP_SECONDS
    # They may live in another process.
    while await in_pool(is_active, person_id) and loop.time() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(LOOK_SECONDS)
