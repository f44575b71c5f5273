"""Tool definitions from outside: those that are broken are set aside, their neighbours stay.

The SDK refuses a whole page of `tools/list` for one broken definition (mcp 2.3.0), so they are
taken out of the answer before the SDK sees it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import mcp.types
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from jsonschema.exceptions import SchemaError  # type: ignore[import-untyped]
from mcp.types.methods import validate_server_result

MAX_SCHEMA_CHARACTERS = 65_536
MAX_NAME_SHOWN = 80


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalog:
    """The usable tools of a server, and the names of those that were set aside."""

    definitions: tuple[mcp.types.Tool, ...] = ()
    set_aside: tuple[str, ...] = ()

    @property
    def problem(self) -> str:
        """A sentence for the operator, or nothing."""
        if not self.set_aside:
            return ""
        return f"Set aside, because their definitions are broken: {', '.join(self.set_aside)}."


def take_out_broken(result: dict[str, Any]) -> list[str]:
    """Leave only valid definitions in the result of a `tools/list`; the names of the others."""
    definitions = result.get("tools")
    # The result of a call could have a field of that name too; it always has `content`.
    if not isinstance(definitions, list) or "content" in result:
        return []
    valid = [definition for definition in definitions if _is_valid(result, definition)]
    broken = [_name(definition) for definition in definitions if definition not in valid]
    result["tools"] = valid
    return broken


def usable_schema(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The input schema, or None where no model's API would take it."""
    encoded = json.dumps(schema)
    if len(encoded) > MAX_SCHEMA_CHARACTERS or not _is_object_schema(encoded):
        return None
    return {"type": "object", "properties": {}, **schema}


def _is_valid(page: Mapping[str, Any], definition: Any) -> bool:
    version = "2026-07-28" if "resultType" in page else "2025-11-25"
    try:
        validate_server_result("tools/list", version, {**page, "tools": [definition]})
        mcp.types.Tool.model_validate(definition, by_name=False)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1024)
def _is_object_schema(encoded: str) -> bool:
    schema = json.loads(encoded)
    try:
        Draft202012Validator.check_schema(schema)
    except (SchemaError, RecursionError):
        return False
    return bool(schema.get("type", "object") == "object")


def _name(definition: Any) -> str:
    name = definition.get("name") if isinstance(definition, dict) else None
    return name[:MAX_NAME_SHOWN] if isinstance(name, str) and name else "a tool without a name"
