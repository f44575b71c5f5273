"""Forms that MCP servers ask people to fill in: flat objects of primitive values, as JSON schema.

https://modelcontextprotocol.io/specification/2025-11-25/client/elicitation#requested-schema
Untrusted: what a form cannot show is left out of it.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeGuard

from jsonschema import (
    Draft202012Validator,
    ValidationError,
)

from chat.text import say

MAX_FIELDS = 50
MAX_OPTIONS = 200
MAX_LABEL_CHARACTERS = 200
MOMENT = "datetime-local"  # An input without an offset: what it shows and sends is in UTC.
KINDS = {"email": "email", "uri": "url", "date": "date", "date-time": MOMENT}


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One input. `kind` is an HTML input type, "select" or "choices" (several of `options`)."""

    name: str
    label: str
    kind: str
    hint: str = ""
    is_required: bool = False
    is_whole: bool = False
    value: Any = ""
    options: Sequence[tuple[str, str]] = ()
    problem: str = ""

    @property
    def key(self) -> str:
        """Its name in the form: one that collides with nothing of ours."""
        return f"field-{self.name}"

    @property
    def written(self) -> str:
        """The value as an input takes it, which is the same in every language."""
        moment = _moment(self.value) if self.kind == MOMENT else None
        if moment is None:
            return str(self.value)
        return moment.replace(tzinfo=None).isoformat(timespec="seconds")


def fields_of(schema: Mapping[str, Any]) -> list[Field]:
    """The inputs for a schema, in its order."""
    properties, wanted = _mapping(schema.get("properties")), _list(schema.get("required"))
    return [
        _field(name, _mapping(value), is_required=name in wanted)
        for name, value in list(properties.items())[:MAX_FIELDS]
    ]


def content_of(schema: Mapping[str, Any], posted: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What a browser's form sent, with the types that the schema wants; empty inputs are absent."""
    found = ((field.name, _value(field, posted)) for field in fields_of(schema))
    return {name: value for name, value in found if value is not None}


def answered(schema: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    """What of a content belongs to the form."""
    names = {field.name for field in fields_of(schema)}
    return {name: value for name, value in content.items() if name in names}


def problems_of(schema: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, str]:
    """A sentence for each field that does not fit.

    Judged by the rules that a form can show, and by no others: a schema from outside may hold
    addresses to fetch and patterns that take for ever. The server judges what it asked for.
    """
    problems: dict[str, str] = {}
    for field in fields_of(schema):
        value = content.get(field.name)
        if value is None:
            if field.is_required:
                problems[field.name] = say("{label} is needed.", label=field.label)
            continue
        rules = _rules(_mapping(_mapping(schema.get("properties"))[field.name]), field)
        error = next(Draft202012Validator(rules).iter_errors(value), None)
        if error is not None:
            problems[field.name] = _sentence(field.label, error)
    return problems


def _sentence(label: str, error: ValidationError) -> str:
    bound = error.validator_value
    match error.validator:
        case "type":
            return _of_type(label, bound)
        case "minimum":
            return say("{label} must be {bound} or more.", label=label, bound=bound)
        case "maximum":
            return say("{label} must be {bound} or less.", label=label, bound=bound)
        case "minLength":
            return say("{label} must have {bound} characters or more.", label=label, bound=bound)
        case "maxLength":
            return say("{label} must have {bound} characters or fewer.", label=label, bound=bound)
        case "minItems":
            return say("{label}: choose {bound} or more.", label=label, bound=bound)
        case "maxItems":
            return say("{label}: choose {bound} or fewer.", label=label, bound=bound)
    return say("{label} cannot be this.", label=label)


def _of_type(label: str, kind: str) -> str:
    if kind == "integer":
        return say("{label} must be a whole number.", label=label)
    if kind == "number":
        return say("{label} must be a number.", label=label)
    return say("{label} cannot be this.", label=label)


def _rules(schema: Mapping[str, Any], field: Field) -> dict[str, Any]:
    """What of a property's schema is judged: types, options, and bounds that are numbers."""
    options = [value for value, _ in field.options]
    if field.kind == "choices":
        items = {"type": "string", **({"enum": options} if options else {})}
        return {"type": "array", "items": items, **_bounds(schema, "minItems", "maxItems")}
    kinds = {"checkbox": "boolean", "number": "integer" if field.is_whole else "number"}
    rules: dict[str, Any] = {"type": kinds.get(field.kind, "string")}
    if options:
        rules["enum"] = options
    return rules | _bounds(schema, "minLength", "maxLength", "minimum", "maximum")


def _bounds(schema: Mapping[str, Any], *names: str) -> dict[str, float]:
    found = ((name, schema.get(name)) for name in names)
    return {name: value for name, value in found if _is_number(value)}


def _is_number(value: Any) -> TypeGuard[float]:
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _field(name: str, schema: Mapping[str, Any], *, is_required: bool) -> Field:
    kind, options = _kind(schema)
    default = schema.get("default")
    label = str(schema.get("title") or name)[:MAX_LABEL_CHARACTERS]
    return Field(
        name=name,
        label=f"{label} (UTC)" if kind == MOMENT else label,
        kind=kind,
        hint=str(schema.get("description") or "")[: 2 * MAX_LABEL_CHARACTERS],
        is_required=is_required,
        is_whole=schema.get("type") == "integer",
        value="" if default is None else default,
        options=options,
    )


def _kind(schema: Mapping[str, Any]) -> tuple[str, Sequence[tuple[str, str]]]:
    match schema.get("type"):
        case "boolean":
            return "checkbox", ()
        case "number" | "integer":
            return "number", ()
        case "array":
            return "choices", list(_options(_mapping(schema.get("items"))))
    if options := list(_options(schema)):
        return "select", options
    return KINDS.get(str(schema.get("format")), "text"), ()


def _options(schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Values and names: of `oneOf`/`anyOf` with titles, or of `enum` with `enumNames`."""
    titled = schema.get("oneOf") or schema.get("anyOf")
    if isinstance(titled, list):
        for one in map(_mapping, titled[:MAX_OPTIONS]):
            value = str(one.get("const", ""))
            yield value, str(one.get("title") or value)[:MAX_LABEL_CHARACTERS]
        return
    values, names = _list(schema.get("enum")), _list(schema.get("enumNames"))
    for at, value in enumerate(values[:MAX_OPTIONS]):
        name = names[at] if at < len(names) else value
        yield str(value), str(name)[:MAX_LABEL_CHARACTERS]


def _value(field: Field, posted: Mapping[str, Sequence[str]]) -> Any:
    values = list(posted.get(field.key, ()))
    match field.kind:
        case "checkbox":
            return any(values)
        case "choices":
            return values
    text = values[-1] if values else ""
    if not text:
        return None
    if field.kind == MOMENT and (moment := _moment(text)):
        return moment.isoformat()
    return _number(text, is_whole=field.is_whole) if field.kind == "number" else text


def _moment(value: Any) -> datetime | None:
    """In UTC, as is taken what says nothing else; None for what is no date and time."""
    try:
        moment = datetime.fromisoformat(str(value))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _number(text: str, *, is_whole: bool) -> Any:
    """The text itself where it is no number: the schema says so in words then."""
    try:
        number = int(text) if is_whole else float(text)
    except ValueError:
        return text
    return number if _is_number(number) else text


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
