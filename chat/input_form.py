"""Forms that MCP servers ask people to fill in: flat objects of primitive values, as JSON schema.

https://modelcontextprotocol.io/specification/2025-11-25/client/elicitation#requested-schema
Untrusted: what a form cannot show is left out of it; what is answered is checked against it all.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from jsonschema.exceptions import SchemaError  # type: ignore[import-untyped]

MAX_FIELDS = 50
MAX_OPTIONS = 200
MAX_LABEL_CHARACTERS = 200
KINDS = {"email": "email", "uri": "url", "date": "date", "date-time": "datetime-local"}


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


def problems_of(schema: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, str]:
    """A sentence for each field that does not fit; under "" what concerns the whole."""
    wanted = {**schema, "type": "object"}
    labels = {field.name: field.label for field in fields_of(schema)}
    problems: dict[str, str] = {}
    try:
        Draft202012Validator.check_schema(wanted)
        errors = list(Draft202012Validator(wanted).iter_errors(dict(content)))
    except (SchemaError, RecursionError, ValueError):
        return {"": "The server asks for something that cannot be answered."}
    for error in errors:
        name = str(error.path[0]) if error.path else ""
        if error.validator == "required":
            for missing in (name for name in error.validator_value if name not in content):
                problems.setdefault(missing, f"{labels.get(missing, missing)} is needed.")
        else:
            problems.setdefault(name, f"{labels.get(name, 'The answer')}: {error.message[:200]}.")
    return problems


def _field(name: str, schema: Mapping[str, Any], *, is_required: bool) -> Field:
    kind, options = _kind(schema)
    default = schema.get("default")
    return Field(
        name=name,
        label=str(schema.get("title") or name)[:MAX_LABEL_CHARACTERS],
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
    return _number(text, is_whole=field.is_whole) if field.kind == "number" else text


def _number(text: str, *, is_whole: bool) -> Any:
    """The text itself where it is no number: the schema says so in words then."""
    try:
        return int(text) if is_whole else float(text)
    except ValueError:
        return text


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
