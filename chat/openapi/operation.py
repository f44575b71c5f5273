"""An operation of the API as a value, and the answers that many of them share."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from chat.openapi.schema import Json, one_of, ref, text, uuid, whole


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """`path` is spelled as on the wire, `answers` are all that there can be.

    `credentials`: who may ask. Of "person", a 401 and, for what writes, a 403 follow by themselves.
    """

    method: str
    path: str
    name: str
    group: str
    summary: str
    about: str = ""
    parameters: tuple[Json, ...] = ()
    body: Json | None = None
    answers: Mapping[int, Json] = field(default_factory=dict)
    credentials: str = "person"


def answer(about: str, schema: Json | None = None, **headers: Json) -> Json:
    """JSON, or nothing. Names of headers have `_` for `-`."""
    return media(about, {} if schema is None else {"application/json": schema}, **headers)


def media(about: str, content: Mapping[str, Json], **headers: Json) -> Json:
    found: Json = {"description": about}
    if content:
        found["content"] = {name: {"schema": schema} for name, schema in content.items()}
    if headers:
        names = {name.replace("_", "-"): schema for name, schema in headers.items()}
        found["headers"] = {
            name: {"schema": schema, "required": True} for name, schema in names.items()
        }
    return found


def problem(about: str, *codes: str, **headers: Json) -> Json:
    """A refusal with one of these codes."""
    schema = ref("Problem")
    if codes:
        narrowed = {"type": "object", "properties": {"code": one_of(codes)}}
        schema = {"allOf": [schema, narrowed]}
    return answer(about, schema, **headers)


def in_path(name: str = "id", about: str = "") -> Json:
    return _parameter("path", name, uuid(), about, required=True)


def in_query(name: str, schema: Json, about: str = "") -> Json:
    return _parameter("query", name, schema, about)


def in_header(name: str, schema: Json, about: str = "") -> Json:
    return _parameter("header", name, schema, about)


def _parameter(place: str, name: str, schema: Json, about: str, *, required: bool = False) -> Json:
    found: Json = {"in": place, "name": name, "schema": schema, "required": required}
    return {**found, "description": about} if about else found


NOT_FOUND = problem("Nothing is there, or it is somebody else's.", "NOT_FOUND")
BAD = problem("Bad input; nothing is stored.", "BAD_REQUEST")
TOO_LARGE = problem("The body is too large.", "TOO_LARGE")
SIGN_IN = problem("No credentials, or none that are valid.", "UNAUTHENTICATED")
NO_CSRF = problem("A session without its CSRF token.", "CSRF")
AWAY = problem("The database is away, or full.", "STORAGE")
ACTIVE = problem("An answer is in progress there.", "RUN_ACTIVE")
# What every request with a body may be answered.
OF_BODIES = {400: BAD, 413: TOO_LARGE}

PAGE = in_query("page", whole(least=1, most=999_999_999), "1 where it is not given.")
AFTER = in_query("after", whole(most=999_999_999), "Begin after this event; 0 is the beginning.")
LAST_EVENT_ID = in_header(
    "Last-Event-ID", whole(most=999_999_999), "As `after`, and goes before it: browsers send it."
)
IDEMPOTENCY_KEY = in_header(
    "Idempotency-Key",
    text(maxLength=200),
    "A repeated request with the same key is answered with the first one's run.",
)
