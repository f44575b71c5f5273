"""Holds what the API answers against the document it publishes: nothing unsaid, nothing untrue.

`tests.people` lets every answer to a token through `check_response`, `tests.sse` every event
through `check_event`: so the whole suite is the document's proof.
"""

import json
import re
from functools import cache
from typing import Any

import httpx
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from chat.events import Kind
from chat.openapi.document import document
from chat.openapi.events import name_of

Json = dict[str, Any]


def check_response(response: httpx.Response) -> None:
    """A documented operation answers with a documented status, media type and, as JSON, body."""
    request = response.request
    path = _path_of(request.url.path)
    operation = document()["paths"].get(path, {}).get(request.method.lower())
    if operation is None:
        return
    status, kind = str(response.status_code), _media_type(response)
    what = f"{request.method} {path} → {status} {kind}"
    assert status in operation["responses"], what
    content = operation["responses"][status].get("content", {})
    assert kind in content or "*/*" in content or not content, what
    for name in operation["responses"][status].get("headers", {}):
        assert name in response.headers, (what, name)
    if kind == "application/json" and kind in content:
        response.read()
        _check(content[kind]["schema"], response.json(), what)


def check_event(event: str, data: Json) -> None:
    _check({"$ref": f"#/components/schemas/{name_of(Kind(event))}"}, data, event)


def _path_of(address: str) -> str:
    """As the document spells it; a fixed name goes before an id."""
    paths = sorted(document()["paths"], key=lambda path: "{" in path)
    return next((path for path in paths if _pattern(path).fullmatch(address)), "")


@cache
def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{\w+\}", "[^/]+", path))


def _media_type(response: httpx.Response) -> str:
    return response.headers.get("content-type", "").partition(";")[0]


def _check(schema: Json, value: Any, what: str) -> None:
    error = next(_validator(json.dumps(schema)).iter_errors(value), None)
    assert error is None, f"{what}: {error.json_path}: {error.message[:300]}"


@cache
def _validator(schema: str) -> Draft202012Validator:
    """By its text: dictionaries are no keys."""
    whole = {**closed(json.loads(schema)), "components": closed(document()["components"])}
    return Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)


def closed(schema: Any) -> Any:
    """The same schema, but fields that are not named may not be there."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: closed(item) for name, item in schema.items()}
    # What has an `if` is closed by its `then` and `else`; parameters are `required` too.
    if {"properties", "required"} <= schema.keys() and "if" not in schema:
        found.setdefault("additionalProperties", False)
    return found
