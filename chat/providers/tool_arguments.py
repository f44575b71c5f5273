"""The arguments of a finished tool call: from the text that the model wrote to an object."""

import json
import math
import uuid
from collections.abc import Mapping
from typing import Any

from chat.tools import ToolCall

MAX_DEPTH = 100


def call_from(call_id: str, name: str, text: str, extra: Mapping[str, Any]) -> ToolCall:
    """The call; without an id it gets one. What cannot be read is kept as text, never guessed."""
    call_id, text = call_id or f"call_{uuid.uuid4().hex}", text.strip()
    try:
        arguments = json.loads(text) if text else {}
        if isinstance(arguments, str):  # Encoded twice.
            arguments = json.loads(arguments) if arguments.strip() else {}
        check_storable(arguments)
    except (ValueError, RecursionError) as error:
        problem = f"The arguments are not valid JSON: {_reason(text, error)}."
    else:
        if arguments is None or isinstance(arguments, dict):
            return ToolCall(id=call_id, name=name, arguments=arguments or {}, extra=extra)
        problem = "The arguments must be a JSON object."
    return ToolCall(id=call_id, name=name, invalid_arguments=text, problem=problem, extra=extra)


def check_storable(value: Any, depth: int = 0) -> None:
    """Raises ValueError for what JSON in Python reads, and others do not: NaN, infinity, depths."""
    if depth > MAX_DEPTH:
        raise ValueError("they are nested too deeply")
    match value:
        case float() if not math.isfinite(value):
            raise ValueError(f"{value} is not a number in JSON")
        case dict():
            for item in value.values():
                check_storable(item, depth + 1)
        case list():
            for item in value:
                check_storable(item, depth + 1)


def _reason(text: str, error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError) and error.msg == "Extra data":
        rest = text[error.pos :].lstrip()
        if rest.startswith("{") and text.startswith("{"):
            return "they hold more than one object; make one call for each"
    return str(error) or "they are nested too deeply"
