"""The events of a run: a schema for the data of each kind."""

from chat.events import Kind
from chat.models import InputRequest, ToolRunState
from chat.models.tool_runs import GOING
from chat.openapi.schema import (
    Json,
    anything,
    listed,
    number,
    one_of,
    or_null,
    record,
    ref,
    text,
    time,
    truth,
    uuid,
    whole,
)

OUTCOMES = [state for state in ToolRunState if state not in GOING]
CALL_ID = text("The call's id, as the model gave it.")
ITERATION = whole("The step's number, from 1.", least=1)

USAGE = record(
    {
        "input_tokens?": whole(),
        "output_tokens?": whole(),
        "reasoning_tokens?": whole(),
        "cached_tokens?": whole(),
        "cost?": number("In US dollars."),
    },
    "What is known of it for all steps.",
)
FILE = record(
    {"url": text(), "mime_type": text(), "bytes": whole(), "name": text()},
    "A file that a tool gave back; its address is on this server.",
)
CALL = record(
    {
        "id": CALL_ID,
        "name": text(),
        "arguments": anything(),
        "title?": text("The tool's name for people."),
        "server?": text("The slug of the MCP server."),
        "fingerprint?": text("Of the tool's definition."),
        "invalid_arguments?": text("What the model sent instead of a JSON object."),
        "redacted?": truth("Something of the arguments is not kept."),
        "extra?": anything("What the model's API wants back."),
    }
)
DATA: dict[Kind, Json] = {
    Kind.CONTENT: record({"content": text()}, "A piece of the answer."),
    Kind.REASONING: record({"content": text()}, "A piece of the model's thinking."),
    Kind.TOOL_CALLS: record(
        {"tools": listed(ref("Call")), "iteration": ITERATION, "usage?": ref("Usage")},
        "The model asks for tools; `usage` is this step's.",
    ),
    Kind.APPROVAL_REQUIRED: record(
        {
            "tool": text(),
            "id": CALL_ID,
            "arguments": anything(),
            "tool_run_id": uuid("Where the decision is to be sent."),
            "fingerprint": text("Of the tool's definition."),
            "rule": text("Why a person has to decide."),
            "expires_at": time(),
        },
        "A person must decide before this call is made; the others of its step go on.",
    ),
    Kind.APPROVAL_DECIDED: record(
        {
            "id": CALL_ID,
            "decision": one_of(["allowed", "denied"]),
            "by": one_of(["person", "request", "expiry"]),
            "arguments?": anything("As the person changed them."),
            "remember?": one_of(["conversation"]),
        },
        "They did, or nobody did in time.",
    ),
    Kind.TOOL_EXECUTING: record({"tool": text(), "id": CALL_ID}, "The call is made."),
    Kind.TOOL_PROGRESS: record(
        {
            "tool": text(),
            "id": CALL_ID,
            "progress": number(),
            "total?": number(),
            "message?": text(),
        },
        "What the tool says of how far it is.",
    ),
    Kind.TOOL_RESULT: record(
        {
            "tool": text(),
            "id": CALL_ID,
            "result": text("Up to 1 MiB."),
            "bytes": whole("The size of all of it."),
            "is_large": truth("Above 500 characters."),
            "is_error": truth(),
            "outcome": one_of(OUTCOMES),
            "duration_ms": whole(),
            "attachments?": listed(ref("File")),
            "rule?": text("What of the policy refused the call."),
        },
        "The call has ended. Failing tools are results too: the model reads them.",
    ),
    Kind.INPUT_REQUIRED: record(
        {
            "id": uuid("Where the answer is to be sent."),
            "call_id": CALL_ID,
            "server": text(),
            "tool": text(),
            "message": text(),
            "mode": one_of(InputRequest.Mode),
            "schema?": anything("The JSON Schema of a form."),
            "url?": text("The address to be opened."),
            "expires_at": time(),
        },
        "An MCP server asks the person.",
    ),
    Kind.INPUT_GIVEN: record(
        {"id": uuid(), "call_id": CALL_ID, "action": one_of(["accept", "decline", "cancel"])},
        "They answered, or it expired (`cancel`).",
    ),
    Kind.NOTICE: record(
        {"message": text(), "code": text(), "turns_left_out?": whole()},
        "Something is missing, and the run goes on.",
    ),
    Kind.STEP_RESTARTED: record(
        {"iteration": ITERATION},
        "The model is asked again; the text of this step so far is void.",
    ),
    Kind.DONE: record(
        {
            "content": text("The text after the last tool result."),
            "finish_reason": one_of(["stop", "length", "cancelled"]),
            "usage": ref("Usage"),
        },
        "The end.",
    ),
    Kind.ERROR: record({"message": text(), "code": text()}, "The end, in failure."),
}


def name_of(kind: Kind) -> str:
    """Of its schema: `tool_calls` is ToolCallsEvent."""
    return kind.title().replace("_", "") + "Event"


# Of each event; which data each kind has OpenAPI 3.1 cannot say here: `x-events` does.
STREAM: Json = record(
    {
        "id": text("1…n without a hole."),
        "event": one_of(Kind),
        "data": text("JSON on one line.", contentMediaType="application/json"),
    },
    "Server-Sent Events; the stream ends after `done` or `error`. A comment every 15 s keeps "
    "proxies from closing it.",
    **{"x-events": {str(kind): ref(name_of(kind)) for kind in DATA}},
)


def event_schemas() -> dict[str, Json]:
    parts = {"EventStream": STREAM, "Usage": USAGE, "File": FILE, "Call": CALL}
    return parts | {name_of(kind): data for kind, data in DATA.items()}


REPLAYED = record(
    {
        "id": whole(least=1),
        "at_ms": whole("After the run began."),
        "event": one_of(Kind),
        "data": {"anyOf": [ref(name_of(kind)) for kind in DATA], "description": "As its event's."},
    }
)
REPLAY = record(
    {
        "began": time(),
        "total_ms": whole(),
        "next": or_null(whole("The `after` for more.", least=1)),
        "events": listed(REPLAYED, maxItems=1000),
    }
)
