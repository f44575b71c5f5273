"""Search over the API and on the page."""

from typing import Any

from django.http import HttpResponseBase, JsonResponse

from chat.runs.pool import in_pool
from chat.search import Hit, Page, search
from chat.views.access import ApiRequest, api
from chat.views.bodies import page_number
from chat.views.conversations import head


@api("GET")
async def hits(request: ApiRequest) -> HttpResponseBase:
    """Where `q` stands in the person's conversations."""
    text, number = request.GET.get("q", ""), page_number(request)
    return JsonResponse(_wire(await in_pool(search, request.person, text, number)))


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
