"""Small words for JSON Schema (2020-12, as OpenAPI 3.1 takes it)."""

from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]

# What the views take for a number of a row: chat/views/bodies.py, is_key.
MAX_KEY = (1 << 63) - 1


def ref(name: str) -> Json:
    """A schema among the document's components."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(fields: Mapping[str, Json], about: str = "", **more: Any) -> Json:
    """An object; a name that ends with `?` need not be there, as in docs/protocol.md."""
    found: Json = {
        "type": "object",
        "properties": {name.removesuffix("?"): schema for name, schema in fields.items()},
        "required": [name for name in fields if not name.endswith("?")],
        **more,
    }
    return _about(found, about)


def text(about: str = "", **more: Any) -> Json:
    return _about({"type": "string", **more}, about)


def uuid(about: str = "") -> Json:
    return text(about, format="uuid")


def time(about: str = "") -> Json:
    return text(about, format="date-time")


def whole(about: str = "", *, least: int = 0, most: int | None = None) -> Json:
    bounds = {"minimum": least} if most is None else {"minimum": least, "maximum": most}
    return _about({"type": "integer", **bounds}, about)


def key(about: str = "") -> Json:
    """The number of a row."""
    return whole(about, least=1, most=MAX_KEY)


def number(about: str = "") -> Json:
    return _about({"type": "number"}, about)


def truth(about: str = "") -> Json:
    return _about({"type": "boolean"}, about)


def one_of(values: Iterable[str | None], about: str = "") -> Json:
    return _about({"enum": [None if value is None else str(value) for value in values]}, about)


def anything(about: str = "") -> Json:
    """An object of whatever: arguments of tools, schemas of questions."""
    return _about({"type": "object"}, about)


def listed(items: Json, about: str = "", **more: Any) -> Json:
    return _about({"type": "array", "items": items, **more}, about)


def or_null(schema: Json) -> Json:
    if "type" in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def _about(schema: Json, about: str) -> Json:
    return {**schema, "description": about} if about else schema
