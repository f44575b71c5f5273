"""What a tool gave back: as text for the model, as files for people. Untrusted: bounded, checked.

https://modelcontextprotocol.io/specification/2025-11-25/server/tools#tool-result
"""

import base64
import json
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import unquote, urlsplit

import mcp.types

from chat.mcp.media import extension_of, shown_type
from chat.text import clean, cut, visible
from chat.tools import MAX_RESULT_BYTES, ToolFile, ToolResult

MAX_FILES = 16
MAX_FILE_BYTES = 8 << 20
MAX_LABEL_CHARACTERS = 100


def to_result(result: mcp.types.CallToolResult) -> ToolResult:
    """Its text and files. May take a while for a large one: not for the event loop.

    Structured content is the text where there is no other. Where there is, it is a file of its
    own, unless it says the same again.
    """
    files: list[ToolFile] = []
    lines = [_line(part, files) for part in result.content]
    structured = result.structured_content
    if structured is not None:
        said = [part.text for part in result.content if isinstance(part, mcp.types.TextContent)]
        if not any(said):
            lines = [*filter(None, lines), _as_json(structured)]
        elif not _says_the_same(said, structured):
            data = clean(_as_json(structured)).encode()
            files.append(ToolFile(name="data.json", mime_type="application/json", data=data))
    return ToolResult(
        text=cut(clean("\n\n".join(lines)), MAX_FILE_BYTES),
        structured=structured,
        is_error=bool(result.is_error),
        files=files,
    )


def _line(part: mcp.types.ContentBlock, files: list[ToolFile]) -> str:
    """The part as text; what it holds as a file is added to `files`."""
    match part:
        case mcp.types.TextContent():
            return part.text
        case mcp.types.ImageContent() | mcp.types.AudioContent():
            return _media(part, files)
        case mcp.types.ResourceLink():
            # Never fetched: where it leads to is the server's choice alone.
            return f"[resource {part.name}: {part.uri}]"
        case mcp.types.EmbeddedResource(resource=mcp.types.TextResourceContents() as inner):
            return f"[resource {inner.uri}]\n{inner.text}"
        case mcp.types.EmbeddedResource(resource=mcp.types.BlobResourceContents() as inner):
            return _blob(inner, files)
    return f"[{part.type}: not shown]"


def _media(part: mcp.types.ImageContent | mcp.types.AudioContent, files: list[ToolFile]) -> str:
    what = f"{part.type} {_label(part.mime_type)}"
    data = _decoded(part.data)
    if data is None:
        return f"[{what}: not shown, it is not valid base64]"
    shown = shown_type(part.mime_type, data)
    if not shown:
        return f"[{what}, {len(data):,} bytes: not shown]"
    name = f"{part.type}-{len(files) + 1}.{extension_of(shown)}"
    return _add(ToolFile(name=name, mime_type=shown, data=data), what, files)


def _blob(resource: mcp.types.BlobResourceContents, files: list[ToolFile]) -> str:
    what = f"resource {resource.uri}"
    data = _decoded(resource.blob)
    if data is None:
        return f"[{what}: left out, it is not valid base64]"
    mime_type = shown_type(resource.mime_type or "", data) or "application/octet-stream"
    return _add(ToolFile(name=_name(resource.uri), mime_type=mime_type, data=data), what, files)


def _add(file: ToolFile, what: str, files: list[ToolFile]) -> str:
    what = f"{what}, {len(file.data):,} bytes"
    if len(file.data) > MAX_FILE_BYTES:
        return f"[{what}: left out, it is too large]"
    if len(files) == MAX_FILES:
        return f"[{what}: left out, {MAX_FILES} files are as many as fit]"
    files.append(file)
    return f"[{what}]"


def _decoded(text: str) -> bytes | None:
    """Some servers break their lines; what is no base64 at all is None."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        return None


def _label(text: str) -> str:
    return " ".join(visible(text, MAX_LABEL_CHARACTERS).split())


def _name(uri: str) -> str:
    """A file's name from the address that a server gave it."""
    path = ""
    with suppress(ValueError):
        path = unquote(urlsplit(uri).path)
    last = path.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return _label(last) or "file"


def _as_json(value: object) -> str:
    plain = json.dumps(value, ensure_ascii=False)
    # Laid out, a large one would grow past what can be kept; nobody reads it as it is anyway.
    if len(plain) > MAX_RESULT_BYTES // 4:
        return plain
    return json.dumps(value, ensure_ascii=False, indent=2)


def _says_the_same(said: Sequence[str], structured: object) -> bool:
    """Servers send the same twice; those made with the SDK put plain values into a `result`."""
    if isinstance(structured, dict) and structured.keys() == {"result"}:
        structured = structured["result"]
    parsed = [_parsed(text) for text in said]
    return structured in (said, parsed, said[0], parsed[0])


def _parsed(text: str) -> object:
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    return text
