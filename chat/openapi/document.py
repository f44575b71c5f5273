"""The document as it is published."""

from functools import cache

from django.conf import settings

from chat.openapi import asking, following, keeping, machines
from chat.openapi.components import SCHEMAS
from chat.openapi.operation import AWAY, NO_CSRF, SIGN_IN, Operation
from chat.openapi.schema import Json

# That of the wire, not of the program: additions count in the second place.
VERSION = "1.0"
ABOUT = (
    "Ask a language model and follow its answer, event by event. What is named here stays; "
    "fields and events may be added. Programs send `Authorization: Bearer` and an API token, which "
    "people make on their account page; browsers have a session, and send a CSRF token with every "
    "write. What belongs to somebody else answers 404."
)
OPERATIONS: tuple[Operation, ...] = (
    *asking.OPERATIONS,
    *following.OPERATIONS,
    *keeping.OPERATIONS,
    *machines.OPERATIONS,
)
WRITES = frozenset({"post", "put", "patch", "delete"})
SECURITY_SCHEMES: Json = {
    "token": {"type": "http", "scheme": "bearer", "description": "A person's API token."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": settings.SESSION_COOKIE_NAME,
        "description": "Of a browser that is signed in.",
    },
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": "X-CSRFToken",
        "description": "The value of the cookie `csrftoken`, with every write of a session.",
    },
    "metrics": {"type": "http", "scheme": "bearer", "description": "METRICS_TOKEN."},
}


@cache
def document() -> Json:
    """OpenAPI 3.1.1, the same for as long as the process lives."""
    paths: Json = {}
    schemas = {**asking.BODIES, **following.BODIES, **keeping.BODIES, **SCHEMAS}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _written(operation)
    return {
        "openapi": "3.1.1",
        "info": {"title": "Ferryline", "version": VERSION, "description": ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(each.group for each in OPERATIONS)],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": SECURITY_SCHEMES},
    }


def _written(operation: Operation) -> Json:
    found: Json = {
        "operationId": operation.name,
        "tags": [operation.group],
        "summary": operation.summary,
        "security": _security(operation),
        "responses": {str(status): it for status, it in sorted(_answers(operation).items())},
    }
    if operation.about:
        found["description"] = operation.about
    if operation.parameters:
        found["parameters"] = list(operation.parameters)
    if operation.body is not None:
        content = {"application/json": {"schema": operation.body}}
        found["requestBody"] = {"required": True, "content": content}
    return found


def _answers(operation: Operation) -> dict[int, Json]:
    """All of them: what concerns credentials and the database concerns everything."""
    found = dict(operation.answers)
    # A token that is not valid is refused wherever it is sent.
    found.setdefault(401, SIGN_IN)
    if operation.credentials == "person":
        found.setdefault(503, AWAY)
        if operation.method in WRITES:
            found[403] = NO_CSRF
    return found


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    match operation.credentials:
        case "none":
            return []
        case "metrics":
            return [{"metrics": []}]
        case _:
            session: dict[str, list[str]] = {"session": []}
            return [{"token": []}, session | ({"csrf": []} if operation.method in WRITES else {})]
