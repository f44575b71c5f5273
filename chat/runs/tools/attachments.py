"""Keeps what tools give back beside their text: files, and texts that are too long to be shown."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.base import ContentFile
from django.db import DatabaseError

from chat.models import Attachment
from chat.runs.pool import in_writer
from chat.text import cut, size_of
from chat.tools import MAX_RESULT_BYTES, ToolFile, ToolResult

logger = logging.getLogger(__name__)

Reference = Mapping[str, Any]
WHOLE_RESULT = "result.txt"


async def keep_all(run_id: UUID, call_id: str, result: ToolResult) -> ToolResult:
    """The result with its files kept, and its text cut to MAX_RESULT_BYTES. Never raises for a
    file that cannot be kept: the text says so.
    """
    whole_bytes = size_of(result.text)
    is_long = whole_bytes > MAX_RESULT_BYTES
    files = list(result.files)
    if is_long:
        data = settings.REDACTION.document(result.text).encode("utf-8", "replace")
        files.insert(0, ToolFile(name=WHOLE_RESULT, mime_type="text/plain", data=data))
    if not files:
        return result
    references = await keep(run_id, call_id, files)
    is_attached = is_long and references[0] is not None
    lost = [
        f"[{file.name} could not be kept]"
        for file, reference in zip(files, references, strict=True)
        if reference is None
    ]
    remarks = "".join(f"\n\n{line}" for line in lost)
    text = cut(
        result.text,
        MAX_RESULT_BYTES - size_of(remarks),
        remark="; the whole result is attached" if is_attached else "",
    )
    kept = [reference for reference in references if reference is not None]
    return replace(result, text=text + remarks, whole_bytes=whole_bytes, files=(), attachments=kept)


async def keep(run_id: UUID, call_id: str, files: Sequence[ToolFile]) -> list[Reference | None]:
    """References to the files, as they go on the wire; None for one that could not be kept."""
    references: list[Reference | None] = []
    for file in files:
        try:
            references.append(await in_writer(_store, run_id, call_id, file))
        except (OSError, DatabaseError):
            logger.exception("A file of run %s could not be kept", run_id)
            references.append(None)
    return references


def _store(run_id: UUID, call_id: str, file: ToolFile) -> Reference:
    """The file first: a row without its file would be a promise that nobody keeps."""
    attachment = Attachment(
        run_id=run_id,
        call_id=call_id,
        name=file.name,
        mime_type=file.mime_type,
        bytes=len(file.data),
    )
    attachment.file.save(attachment.pk.hex, ContentFile(file.data), save=False)
    try:
        attachment.save(force_insert=True)
    except DatabaseError:
        attachment.file.delete(save=False)
        raise
    return attachment.to_reference()
