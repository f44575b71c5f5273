"""The document as the page of it shows it: flat rows, links, no schema language."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chat.openapi.schema import Json

DEEPEST = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """What a value is; `is_link`: the name of a schema of the page."""

    text: str
    is_link: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A field or a parameter. `depth`: within how many others it is; `place`: of a parameter."""

    name: str
    kinds: tuple[Kind, ...]
    about: str
    is_optional: bool = False
    depth: int = 0
    place: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    status: str
    about: str
    codes: tuple[str, ...]
    media: tuple[tuple[str, tuple[Kind, ...], tuple[Row, ...]], ...]
    headers: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One operation."""

    name: str
    method: str
    path: str
    summary: str
    about: str
    credentials: tuple[str, ...]
    parameters: tuple[Row, ...]
    body: tuple[Kind, ...]
    answers: tuple[Answer, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Described:
    """A schema; it has one of `variants`, most have only one."""

    name: str
    about: str
    variants: tuple[tuple[Row, ...], ...]


def groups_of(document: Json) -> list[tuple[str, list[Entry]]]:
    """The operations under the names of their groups."""
    groups: dict[str, list[Entry]] = {tag["name"]: [] for tag in document["tags"]}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            groups[operation["tags"][0]].append(_entry(path, method, operation))
    return list(groups.items())


def schemas_of(document: Json) -> list[Described]:
    found = document["components"]["schemas"]
    return [
        Described(name=name, about=it.get("description", ""), variants=_variants(it))
        for name, it in found.items()
    ]


def _entry(path: str, method: str, operation: Json) -> Entry:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return Entry(
        name=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        about=operation.get("description", ""),
        credentials=tuple(" + ".join(way) for way in operation["security"]),
        parameters=tuple(_parameter(it) for it in operation.get("parameters", ())),
        body=_kinds(body["schema"]) if body else (),
        answers=tuple(_answer(status, it) for status, it in operation["responses"].items()),
    )


def _parameter(parameter: Json) -> Row:
    return Row(
        name=parameter["name"],
        kinds=_kinds(parameter["schema"]),
        about=parameter.get("description", ""),
        is_optional=not parameter["required"],
        place=parameter["in"],
    )


def _answer(status: str, answer: Json) -> Answer:
    content = {name: it["schema"] for name, it in answer.get("content", {}).items()}
    codes: list[str] = []
    for schema in content.values():
        for part in schema.get("allOf", ()):
            codes += part.get("properties", {}).get("code", {}).get("enum", ())
    return Answer(
        status=status,
        about=answer["description"],
        codes=tuple(codes),
        media=tuple((name, _kinds(it), tuple(_rows(it))) for name, it in content.items()),
        headers=tuple(answer.get("headers", ())),
    )


def _variants(schema: Json) -> tuple[tuple[Row, ...], ...]:
    if "x-events" in schema:
        return (tuple(_event(name, it) for name, it in schema["x-events"].items()),)
    parts = schema.get("anyOf") or [schema]
    return tuple(tuple(_rows(part)) for part in parts)


def _event(name: str, schema: Json) -> Row:
    return Row(name=name, kinds=_kinds(schema), about="")


def _rows(schema: Json, depth: int = 0) -> Iterator[Row]:
    """Of an object's fields, each followed by those within it."""
    needed = schema.get("required", ())
    for name, it in schema.get("properties", {}).items():
        yield Row(
            name=name,
            kinds=_kinds(it),
            about=it.get("description", ""),
            is_optional=name not in needed,
            depth=depth,
        )
        if depth < DEEPEST:
            for part in _within(it):
                yield from _rows(part, depth + 1)


def _within(schema: Json) -> list[Json]:
    """The objects that a field holds: itself, its items, or either of two."""
    held = schema.get("items", schema)
    return [held["then"], held["else"]] if "then" in held else [held]


def _kinds(schema: Json) -> tuple[Kind, ...]:
    match schema:
        case {"$ref": reference}:
            return (Kind(text=reference.rpartition("/")[2], is_link=True),)
        case {"allOf": [first, *_]}:
            return _kinds(first)
        case {"anyOf": parts}:
            return tuple(kind for part in parts for kind in _kinds(part))
        case {"enum": _} | {"const": _}:
            values = schema.get("enum", [schema.get("const")])
            return tuple(Kind(text=json.dumps(value)) for value in values)
        case {"type": "array", "items": items}:
            return (Kind(text="array of"), *_kinds(items))
    types = schema.get("type", [])
    names = types if isinstance(types, list) else [types]
    return tuple(Kind(text=_typed(schema, name)) for name in names)


def _typed(schema: Json, name: str) -> str:
    if name == "string" and "format" in schema:
        return str(schema["format"])
    return name if name == "null" else f"{name}{_bounds(schema)}"


def _bounds(schema: Json) -> str:
    """A key's highest number says nothing to anybody."""
    least: Any = schema.get("minimum", schema.get("minLength"))
    most: Any = schema.get("maximum", schema.get("maxLength"))
    if least and (most is None or most > 1 << 60):
        return f" ≥ {least:,}"
    if most is not None and most < 1 << 60:
        return f" {least or 0:,}…{most:,}"
    return ""
