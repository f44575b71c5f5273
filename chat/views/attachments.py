"""Files that tools gave back. Untrusted: shown only where their type is harmless, never run."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.db.models.fields.files import FieldFile
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    StreamingHttpResponse,
)
from django.utils.http import content_disposition_header

from chat.mcp.media import SHOWN_TYPES
from chat.models import Attachment, StaffAccess
from chat.runs.pool import in_pool, in_writer
from chat.views.access import person

CHUNK_BYTES = 64 << 10
YEAR_SECONDS = 365 * 24 * 3600


async def item(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """For the owner, and for staff who may read the tool log, which then says so."""
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET", "HEAD"])
    reader = await person(request)
    if reader is None:
        return redirect_to_login(request.get_full_path())
    found = await in_pool(_find, reader, pk)
    if found is None:
        raise Http404
    if request.method == "HEAD":
        return _with_headers(HttpResponse(), found)
    if found.run.owner_id != reader.pk:
        what = StaffAccess.What.FILE
        await in_writer(StaffAccess.note, reader, found.run.owner_id, what, found, found.pk)
    return _with_headers(StreamingHttpResponse(_chunks(found.file)), found)


def _find(reader: Any, pk: UUID) -> Attachment | None:
    there = Attachment.objects.filter(run__conversation__deleted_at=None)
    found = there.select_related("run").filter(pk=pk).first()
    if found is None or not found.file.storage.exists(str(found.file.name)):
        return None
    may_read_log = reader.is_staff and reader.has_perm("chat.view_toolrun")
    return found if found.run.owner_id == reader.pk or may_read_log else None


def _with_headers(response: HttpResponseBase, attachment: Attachment) -> HttpResponseBase:
    is_shown = attachment.mime_type in SHOWN_TYPES
    is_text = attachment.mime_type in {"text/plain", "application/json"}
    charset = "; charset=utf-8" if is_text else ""
    disposition = content_disposition_header(not is_shown, str(attachment))
    headers: dict[str, str] = {
        "Content-Type": attachment.mime_type + charset,
        "Content-Length": str(attachment.bytes),
        "Content-Disposition": disposition or "inline",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        # It never changes; no proxy may keep what is one person's.
        "Cache-Control": f"private, max-age={YEAR_SECONDS}, immutable",
    }
    for name, value in headers.items():
        response.headers[name] = value
    return response


async def _chunks(file: FieldFile) -> AsyncIterator[bytes]:
    """Holds a thread for one chunk at a time only: readers may be slow."""
    opened = await asyncio.to_thread(file.open, "rb")
    try:
        while chunk := await asyncio.to_thread(opened.read, CHUNK_BYTES):
            yield chunk
    finally:
        opened.close()
