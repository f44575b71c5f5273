"""The description of the API: a document for programs, a page for people.

Open to everybody: whoever writes a program reads it before there is a token, tools load it without
one, and it says nothing about this installation. See docs/decisions/0024-the-api-document.md.
"""

from functools import cache

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from chat.events import encode
from chat.openapi.document import document
from chat.openapi.page import groups_of, schemas_of

MAX_AGE_SECONDS = 3600


@require_safe
async def openapi(request: HttpRequest) -> HttpResponse:
    """The document as JSON."""
    response = HttpResponse(_encoded(), content_type="application/json")
    response.headers["Cache-Control"] = f"public, max-age={MAX_AGE_SECONDS}"
    return response


@cache
def _encoded() -> str:
    return encode(document())


@require_safe
async def docs(request: HttpRequest) -> HttpResponse:
    """The same for people. What is around it is in their language, the description in English."""
    context = {
        "about": document()["info"]["description"],
        "groups": groups_of(document()),
        "schemas": schemas_of(document()),
    }
    return render(request, "chat/docs.html", context)
