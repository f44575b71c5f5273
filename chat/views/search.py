"""Search over the API and on the page."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.translation import gettext

from chat.runs.pool import in_pool
from chat.search import Hit, Page, search
from chat.views.access import ApiRequest, api
from chat.views.bodies import BadRequest, page_number
from chat.views.conversations import head
from chat.views.pages import page, render_page
from chat.views.sidebar import sidebar_for


@api("GET")
async def hits(request: ApiRequest) -> HttpResponseBase:
    """Where `q` stands in the person's conversations."""
    text, number = request.GET.get("q", ""), page_number(request)
    return JsonResponse(_wire(await in_pool(search, request.person, text, number)))


@page("GET")
async def found(request: HttpRequest) -> HttpResponse:
    """The page of a search."""
    context = await _context(request)
    sidebar = await in_pool(sidebar_for, request)
    more = {"heading": gettext("Search"), "sidebar": sidebar}
    return await render_page(request, "chat/search.html", {**context, **more})


@page("GET")
async def fragment(request: HttpRequest) -> HttpResponse:
    """The hits that take the place of the list in the sidebar."""
    return await render_page(request, "chat/_hits.html", await _context(request))


async def _context(request: HttpRequest) -> dict[str, Any]:
    text = request.GET.get("q", "")
    try:
        number = page_number(request)
    except BadRequest as error:
        raise Http404 from error
    return {"q": text, "page": await in_pool(search, request.user, text, number)}


def _wire(page: Page) -> dict[str, Any]:
    return {
        "hits": [_hit(hit) for hit in page.hits],
        "page": page.number,
        "pages": page.pages,
        "total": page.total,
    }


def _hit(hit: Hit) -> dict[str, Any]:
    return {
        "conversation": head(hit.conversation),
        "where": hit.where,
        "message_id": hit.message_id,
        "excerpt": hit.excerpt.text,
        "marks": hit.excerpt.marks,
        "title_marks": hit.title.marks,
        "date": hit.date.isoformat(),
    }
