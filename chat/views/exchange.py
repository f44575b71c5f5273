"""Conversations as files: exported to keep or to take along, and imported."""

import asyncio
import json
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.http import content_disposition_header
from django.utils.text import slugify

from chat.exchange.document import MAX_BYTES, Json
from chat.exchange.markdown import markdown_of
from chat.exchange.read import Unusable, read_document
from chat.exchange.store import store_document
from chat.exchange.written import document_of
from chat.language import told
from chat.models import Conversation
from chat.runs import changes
from chat.runs.announce import announce_change
from chat.runs.pool import in_pool, in_writer
from chat.text import say
from chat.views.access import ApiRequest, api, not_found
from chat.views.bodies import BadRequest
from chat.views.conversations import head
from chat.views.options import show_archive
from chat.views.pages import page, see_other

TYPES = {"markdown": ("text/markdown", "md"), "json": ("application/json", "json")}


@api("GET")
async def export(request: ApiRequest, pk: UUID) -> HttpResponseBase:
    """The conversation as a file; `?format=` is markdown or json."""
    conversation = await changes.find(request.person, pk)
    if conversation is None:
        return not_found()
    kind = request.GET.get("format") or "json"
    if kind not in TYPES:
        raise BadRequest('format must be "markdown" or "json".')
    text = await in_pool(_written, conversation, kind)
    mime_type, ending = TYPES[kind]
    name = f"{slugify(conversation.title, allow_unicode=True)[:60] or 'chat'}.{ending}"
    response = HttpResponse(text, content_type=f"{mime_type}; charset=utf-8")
    response.headers["Content-Disposition"] = content_disposition_header(True, name) or ""
    return response


@api("POST")
async def imports(request: ApiRequest) -> HttpResponseBase:
    """A conversation from what was exported as JSON: the importer's own, all of it over."""
    # Not request.body: its bound is that of a question.
    data = await asyncio.to_thread(request.read, MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise BadRequest("The file is too large.", status=413, code="TOO_LARGE")
    try:
        conversation = await _take(request.person, data)
    except Unusable as error:
        raise BadRequest(str(error)) from error
    return JsonResponse({"conversation_id": str(conversation.pk), **head(conversation)}, status=201)


@page("POST")
async def import_file(request: HttpRequest) -> HttpResponse:
    """The same from the page's form."""
    file = request.FILES.get("file")
    try:
        if file is None or file.size is None or file.size > MAX_BYTES:
            raise Unusable(say("Please choose a file of at most {size} MB.", size=MAX_BYTES >> 20))
        conversation = await _take(request.user, await asyncio.to_thread(file.read))
    except Unusable as error:
        return await show_archive(request, problem=told(error), status=400)
    return see_other(conversation.get_absolute_url())


async def _take(person: object, data: bytes) -> Conversation:
    document: Json = await asyncio.to_thread(read_document, data)
    conversation = await in_writer(store_document, person, document)
    announce_change(conversation, "changed")
    return conversation


def _written(conversation: Conversation, kind: str) -> str:
    document = document_of(conversation)
    if kind == "markdown":
        return markdown_of(document)
    return json.dumps(document, ensure_ascii=False, indent=1)
