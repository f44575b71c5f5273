"""The file of a conversation: what is exported, and what an import has to look like."""

from typing import Any

from django.conf import settings
from jsonschema import Draft202012Validator
from jsonschema.validators import extend

from chat.models import RunStatus, ToolRunState

FORMAT = "ferryline-conversation"
VERSION = 2
# Its messages follow each other in their order: it knows no branches.
OLD_VERSION = 1
MAX_BYTES = settings.MAX_IMPORT_BYTES
MAX_MESSAGES = 2000
MAX_TOOL_RUNS = 5000
MAX_DEPTH = 50
# Behind the name of a tool's server, where the call was not made here.
IMPORTED = " (imported)"

ENDINGS = (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.INTERRUPTED)
OUTCOMES = (
    *(ToolRunState.OK, ToolRunState.TOOL_ERROR, ToolRunState.TIMEOUT, ToolRunState.DENIED),
    *(ToolRunState.BLOCKED, ToolRunState.CANCELLED, ToolRunState.LOST),
)

Json = dict[str, Any]


def text(characters: int, *, least: int = 0) -> Json:
    return {"type": "string", "minLength": least, "maxLength": characters}


def one_of(values: tuple[Any, ...]) -> Json:
    return {"enum": [str(value) for value in values]}


def number(most: float) -> Json:
    return {"type": "number", "minimum": 0, "maximum": most}


def whole(most: int) -> Json:
    return {"type": ["integer", "null"], "minimum": 0, "maximum": most}


def listed(items: Json, most: int, *, least: int = 0) -> Json:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


def exactly(**properties: Json) -> Json:
    """An object with these properties and no others."""
    names = list(properties)
    return {
        "type": "object",
        "properties": properties,
        "required": names,
        "additionalProperties": False,
    }


NAME = text(200)
# A result of MAX_RESULT_BYTES, and what is said of its cut.
LONG = text(2 << 20)
TIME = text(40)
TIME_OR_NULL = {"type": ["string", "null"], "maxLength": 40}

FILE = exactly(name=NAME, mime_type=text(100), bytes=whole(1 << 31))
TOOL_RUN = exactly(
    call_id=text(200, least=1),
    tool=text(200, least=1),
    title=NAME,
    server=text(100),
    arguments={"type": "object"},
    invalid_arguments=LONG,
    outcome=one_of(OUTCOMES),
    result=LONG,
    bytes=whole(1 << 31),
    duration_ms=whole((1 << 31) - 1),
    started_at=TIME_OR_NULL,
    finished_at=TIME_OR_NULL,
    files=listed(FILE, 100),
)
STEP = exactly(reasoning=LONG, content=LONG, tool_runs=listed(TOOL_RUN, 200))
# Places in the list of messages, from 0: of what a message follows, and of the branch shown.
PLACE = whole(MAX_MESSAGES - 1)
QUESTION = exactly(
    role={"const": "user"}, parent=PLACE, content=text(1 << 20, least=1), created_at=TIME
)
ANSWER = exactly(
    role={"const": "assistant"},
    parent=PLACE,
    content=LONG,
    created_at=TIME,
    model_name=NAME,
    status=one_of(ENDINGS),
    finish_reason=one_of(("", "stop", "length", "cancelled")),
    error_code=text(40),
    error_message=text(5000),
    usage={"type": "object", "maxProperties": 20, "additionalProperties": number(1e12)},
    started_at=TIME_OR_NULL,
    finished_at=TIME_OR_NULL,
    steps=listed(STEP, 500),
)
MESSAGE = {
    "type": "object",
    "properties": {"role": {"enum": ["user", "assistant"]}},
    "required": ["role"],
    "if": {"properties": {"role": {"const": "user"}}},
    "then": QUESTION,
    "else": ANSWER,
}
DOCUMENT = exactly(
    format={"const": FORMAT},
    version={"const": VERSION},
    exported_at=TIME,
    title=NAME,
    system_prompt=text(20_000),
    model_name=NAME,
    created_at=TIME,
    current=PLACE,
    messages=listed(MESSAGE, MAX_MESSAGES, least=1),
)
# Not 1.0, which is an integer to JSON Schema and no place in a list.
_types = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
validator = extend(Draft202012Validator, type_checker=_types)(DOCUMENT)
