"""Tool definitions from outside: those that are broken are set aside, their neighbours stay.

The SDK refuses a whole page of `tools/list` for one broken definition (mcp 2.3.0), so they are
taken out of the answer before the SDK sees it.
"""

import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import mcp.types
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from mcp.types.methods import validate_server_result

MAX_SCHEMA_CHARACTERS = 65_536
MAX_LISTING_CHARACTERS = 1 << 20
MAX_LISTED = 2_000
MAX_SET_ASIDE = 100
MAX_NAME_CHARACTERS = 200


NOT_VALID = "its definition is not valid"
BAD_SCHEMA = "its input schema is not the JSON schema of an object"
TOO_LARGE = "its input schema is too large"
TOO_MUCH = "the schemas of its server are too large together"
NOT_STORABLE = "it holds what no database can store"
LONG_NAME = "its name is too long"
# What a model or a person decides by. Not the icons, and nothing that a server may number anew.
_WILD = frozenset({"$ref", "$dynamicRef", "$id", "pattern", "patternProperties"})
MAX_DEPTH = 20
PINNED = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalog:
    """The usable tools of a server, their fingerprints, and why others were set aside; by name."""

    definitions: tuple[mcp.types.Tool, ...] = ()
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    set_aside: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, found: Iterable[mcp.types.Tool], broken: Iterable[str] = ()) -> "Catalog":
        """The first definition of each name counts. `broken`: names that were taken out before."""
        usable: dict[str, mcp.types.Tool] = {}
        set_aside = dict.fromkeys(broken, NOT_VALID)
        size = 0
        for definition in found:
            size += len(str(definition.input_schema))
            if size > MAX_LISTING_CHARACTERS:
                set_aside.setdefault(definition.name[:MAX_NAME_CHARACTERS], TOO_MUCH)
            elif problem := problem_of(definition):
                set_aside.setdefault(definition.name[:MAX_NAME_CHARACTERS], problem)
            else:
                usable.setdefault(definition.name, definition)
        return cls(
            definitions=tuple(usable.values()),
            fingerprints={name: fingerprint_of(tool) for name, tool in usable.items()},
            # A name that is usable as well is that of the usable one.
            set_aside={
                name: why
                for name, why in itertools.islice(set_aside.items(), MAX_SET_ASIDE)
                if name not in usable
            },
        )

    def output_schema(self, name: str) -> Mapping[str, Any] | None:
        """What a tool says of its results; None where it says nothing."""
        found = (tool.output_schema for tool in self.definitions if tool.name == name)
        return next(found, None)

    @property
    def problem(self) -> str:
        """A sentence for the operator, or nothing."""
        if not self.set_aside:
            return ""
        return f"Set aside, because their definitions are broken: {', '.join(self.set_aside)}."


def to_json(definition: mcp.types.Tool) -> dict[str, Any]:
    """The pinned part of a definition, under the names of the protocol."""
    whole = definition.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {name: whole[name] for name in PINNED if name in whole}


def fingerprint_of(definition: mcp.types.Tool) -> str:
    """SHA-256 of the pinned part; the same for the same definition, in whatever order it comes."""
    encoded = json.dumps(to_json(definition), sort_keys=True)
    return hashlib.sha256(encoded.encode()).hexdigest()


def problem_of(definition: mcp.types.Tool) -> str:
    """Why no model's API would take this tool; empty where one would."""
    if len(definition.name) > MAX_NAME_CHARACTERS:
        return LONG_NAME
    try:
        whole = json.dumps(to_json(definition), allow_nan=False, ensure_ascii=False)
        whole.encode()
    except (ValueError, RecursionError):
        return NOT_STORABLE
    if "\\u0000" in whole:
        return NOT_STORABLE
    encoded = json.dumps(definition.input_schema)
    if len(encoded) > MAX_SCHEMA_CHARACTERS:
        return TOO_LARGE
    return "" if _is_object_schema(encoded) else BAD_SCHEMA


def take_out_broken(result: dict[str, Any]) -> list[str]:
    """Leave only valid definitions in the result of a `tools/list`; the names of the others."""
    definitions = result.get("tools")
    # The result of a call could have a field of that name too; it always has `content`.
    if not isinstance(definitions, list) or "content" in result:
        return []
    valid, broken = [], []
    for definition in definitions[:MAX_LISTED]:
        _disarm(definition)
        if _is_valid(result, definition):
            valid.append(definition)
        else:
            broken.append(_name(definition))
    result["tools"] = valid
    return broken


def schema_of(definition: mcp.types.Tool) -> dict[str, Any]:
    """The input schema, as models' APIs want it."""
    return {"type": "object", "properties": {}, **definition.input_schema}


def _disarm(definition: Any) -> None:
    """Take an output schema away by which no result is judged: it names what would have to be
    fetched, or patterns that take for ever.
    """
    schema = definition.get("outputSchema") if isinstance(definition, dict) else None
    if schema is not None and not is_tame(schema):
        del definition["outputSchema"]


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
    return name[:MAX_NAME_CHARACTERS] if isinstance(name, str) and name else "a tool without a name"
