"""Exports of the tool ledger: the way to make one, and the record of those that were made."""

import asyncio
from collections.abc import AsyncIterator

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chat.admin.shown import LogAdmin
from chat.language import number
from chat.ledger.export import Export
from chat.ledger.filters import read
from chat.models import ToolRunExport
from chat.runs.pool import in_pool, in_writer
from chat.runs.readers import Reader

PERMISSION = "chat.export_toolrun"
TYPES = {"csv": "text/csv", "jsonl": "application/jsonl"}


def export(request: HttpRequest) -> HttpResponseBase:
    """The calls that the address's filters leave, as the file of the format that was posted."""
    if request.method != "POST" or not request.user.has_perms([PERMISSION, "chat.view_toolrun"]):
        raise PermissionDenied
    kind, form = request.POST.get("format", ""), read(request.GET)
    if kind not in TYPES or not form.is_valid():
        return HttpResponse(gettext("Nothing can be exported that way."), status=400)
    session_key = request.session.session_key or ""
    reader = Reader(person_id=int(request.user.pk or 0), session_key=session_key)
    texts = streamed(Export(request.user, kind, form), reader)
    # It would be held until the last byte is read.
    connection.close()
    response = StreamingHttpResponse(texts, content_type=f"{TYPES[kind]}; charset=utf-8")
    name = f"tool-runs-{timezone.now():%Y-%m-%d-%H%M}.{kind}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


async def streamed(making: Export, reader: Reader) -> AsyncIterator[str]:
    """The file, for as long as its reader may have it; what went out of it is on record."""
    texts, is_whole = making.texts(), False
    try:
        while (text := await in_pool(next, texts, None)) is not None:
            if not reader.is_welcome:
                return
            yield text
        is_whole = True
    finally:
        await asyncio.shield(in_writer(making.end, is_whole=is_whole))


@admin.register(ToolRunExport)
class ToolRunExportAdmin(LogAdmin):
    list_display = ("made_by", "when", "format", "rows_shown", "filters_shown", "finished_at")
    list_filter = ("format", "created_at")
    search_fields = ("made_by", "filters")
    fields = ("made_by", "person", "created_at", "finished_at", "format", "rows", "filters")

    @admin.display(description=_("created at"), ordering="created_at")
    def when(self, made: ToolRunExport) -> str:
        return f"{made.created_at:%Y-%m-%d %H:%M:%S}"

    @admin.display(description=_("rows"), ordering="rows")
    def rows_shown(self, made: ToolRunExport) -> str:
        return number(made.rows)

    @admin.display(description=_("filters"))
    def filters_shown(self, made: ToolRunExport) -> str:
        return made.filters or gettext("none: all of it")
