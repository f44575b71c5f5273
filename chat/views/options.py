"""What people do to a whole conversation, as pages and forms. With scripts: a menu, and the API."""

from uuid import UUID

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext

from chat.language import told
from chat.models import Conversation
from chat.runs import changes
from chat.runs.pool import in_pool
from chat.runs.tools.approvals import remembered_in
from chat.views.bodies import (
    MAX_SYSTEM_PROMPT_CHARACTERS,
    MAX_TITLE_CHARACTERS,
    BadRequest,
    page_number,
    read_prompt,
    read_title,
)
from chat.views.pages import page, render_page, see_other
from chat.views.sidebar import archived_of, sidebar_for

ARCHIVE_PAGE_SIZE = 50
SWITCHES = ("is_pinned", "is_archived")


@page("GET")
async def options(request: HttpRequest, pk: UUID) -> HttpResponse:
    return await _show(request, await _find(request, pk))


@page("POST")
async def change(request: HttpRequest, pk: UUID) -> HttpResponse:
    """`title`, `system_prompt`, `is_pinned` or `is_archived` (1 or 0)."""
    conversation = await _find(request, pk)
    changed: dict[str, str | bool] = {
        name: request.POST[name] == "1" for name in SWITCHES if name in request.POST
    }
    if "title" in request.POST:
        title, problem = read_title(request.POST["title"])
        if problem:
            return await _show(request, conversation, problem=told(problem), status=400)
        changed["title"] = title
    if "system_prompt" in request.POST:
        prompt, problem = read_prompt(request.POST["system_prompt"])
        if problem:
            return await _show(request, conversation, prompt_problem=told(problem), status=400)
        changed["system_prompt"] = prompt
    await changes.change(conversation, changed)
    return see_other(conversation.get_absolute_url())


@page("POST")
async def delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    conversation = await _find(request, pk)
    await changes.remove(conversation)
    return see_other(f"/?deleted={conversation.pk}")


@page("POST")
async def restore(request: HttpRequest, pk: UUID) -> HttpResponse:
    conversation = await changes.restore(request.user, pk)
    if conversation is None:
        raise Http404
    return see_other(conversation.get_absolute_url())


@page("GET")
async def archive(request: HttpRequest) -> HttpResponse:
    return await show_archive(request)


async def show_archive(
    request: HttpRequest, *, problem: str = "", status: int = 200
) -> HttpResponse:
    """The page of archived conversations, where files are imported, too."""
    try:
        number = page_number(request)
    except BadRequest as error:
        raise Http404 from error
    archived = await in_pool(_page, request, number)
    context = {
        "page": archived,
        "problem": problem,
        "heading": gettext("Archived"),
        "sidebar": await in_pool(sidebar_for, request),
    }
    return await render_page(request, "chat/archive.html", context, status=status)


def _page(request: HttpRequest, number: int) -> object:
    found = Paginator(archived_of(request.user), ARCHIVE_PAGE_SIZE).get_page(number)
    found.object_list = list(found.object_list)
    return found


async def _find(request: HttpRequest, pk: UUID) -> Conversation:
    found = await changes.find(request.user, pk)
    if found is None:
        raise Http404
    return found


async def _show(
    request: HttpRequest, conversation: Conversation, *, status: int = 200, **problems: str
) -> HttpResponse:
    context = {
        **problems,
        "conversation": conversation,
        "title": request.POST.get("title", conversation.title),
        "system_prompt": request.POST.get("system_prompt", conversation.system_prompt),
        "allowed": await in_pool(remembered_in, conversation.pk),
        "most_characters": MAX_TITLE_CHARACTERS,
        "most_prompt_characters": MAX_SYSTEM_PROMPT_CHARACTERS,
    }
    return await render_page(request, "chat/options.html", context, status=status)
