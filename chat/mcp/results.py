"""What a tool gave back, as text for the model and for people. Untrusted: bounded and cleaned."""

import json
from collections.abc import Iterator
from typing import Any

import mcp.types

from chat.text import clean
from chat.tools import ToolResult

MAX_RESULT_CHARACTERS = 200_000


def to_result(result: mcp.types.CallToolResult) -> ToolResult:
    """The result's text; its structured content where it has no text."""
    text = "\n\n".join(_texts(result.content))
    if not text and result.structured_content is not None:
        text = json.dumps(result.structured_content, ensure_ascii=False, indent=2)
    return ToolResult(
        text=capped(clean(text)),
        structured=result.structured_content,
        is_error=bool(result.is_error),
    )


def capped(text: str) -> str:
    if len(text) <= MAX_RESULT_CHARACTERS:
        return text
    return (
        f"{text[:MAX_RESULT_CHARACTERS]}\n\n[Cut off here: the result has {len(text):,} "
        f"characters; the first {MAX_RESULT_CHARACTERS:,} are kept.]"
    )


def _texts(content: list[Any]) -> Iterator[str]:
    for part in content:
        match part:
            case mcp.types.TextContent():
                yield part.text
            case mcp.types.ImageContent() | mcp.types.AudioContent():
                # Four characters of base64 hold three bytes, less what pads the end.
                size = len(part.data) * 3 // 4 - part.data[-2:].count("=")
                yield f"[{part.type} {part.mime_type}, {size:,} bytes]"
            case mcp.types.ResourceLink():
                yield f"[resource {part.name}: {part.uri}]"
            case mcp.types.EmbeddedResource():
                text = getattr(part.resource, "text", None)
                yield text if text is not None else f"[resource {part.resource.uri}]"
