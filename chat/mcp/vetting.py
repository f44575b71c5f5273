"""Definitions as they come in: what is not valid is taken out before the SDK sees it.

It would refuse a whole page of `tools/list` for one broken definition (mcp 2.3.0).
"""

from collections.abc import Mapping, Set
from typing import Any

import mcp.types
from mcp.types.methods import validate_server_result

from chat.text import visible

MAX_LISTED = 2_000
MAX_NAME_CHARACTERS = 200
MAX_DEPTH = 20
_WILD = frozenset({"$ref", "$dynamicRef", "$id", "pattern", "patternProperties"})


def take_out_broken(result: dict[str, Any]) -> list[str]:
    """Leave only valid definitions in the result of a `tools/list`; the names of the others."""
    definitions = result.get("tools")
    # The result of a call could have a field of that name too; it always has `content`.
    if not isinstance(definitions, list) or "content" in result:
        return []
    valid, broken = [], []
    # With one too many, so that whoever counts them refuses the list.
    for definition in definitions[: MAX_LISTED + 1]:
        _disarm(definition)
        if _is_valid(result, definition):
            valid.append(definition)
        else:
            name = definition.get("name") if isinstance(definition, dict) else None
            broken.append(shown_name(name))
    result["tools"] = valid
    return broken


def shown_name(name: object) -> str:
    """The name of a tool that is not usable, fit to be shown and stored."""
    found = visible(name, MAX_NAME_CHARACTERS) if isinstance(name, str) else ""
    return " ".join(found.split()) or "a tool without a name"


def is_tame(schema: Any, wild: Set[str] = _WILD, depth: int = 0) -> bool:
    """Whether it has none of those keywords, and is not nested too deeply."""
    if depth > MAX_DEPTH:
        return False
    match schema:
        case dict():
            parts = schema.values()
            return not wild & schema.keys() and all(is_tame(it, wild, depth + 1) for it in parts)
        case list():
            return all(is_tame(it, wild, depth + 1) for it in schema)
        case _:
            return True


def _disarm(definition: Any) -> None:
    """Take an output schema away by which no result is judged: it names what would have to be
    fetched, or patterns that take for ever.
    """
    schema = definition.get("outputSchema") if isinstance(definition, dict) else None
    if schema is not None and not is_tame(schema):
        del definition["outputSchema"]


def _is_valid(page: Mapping[str, Any], definition: Any) -> bool:
    version = "2026-07-28" if "resultType" in page else "2025-11-25"
    try:
        validate_server_result("tools/list", version, {**page, "tools": [definition]})
        mcp.types.Tool.model_validate(definition, by_name=False)
    except ValueError:
        return False
    return True
