"""What the API answers with: conversations, runs, hits; and its refusals."""

from chat.exchange.document import DOCUMENT
from chat.models import Conversation, Message, RunStatus, ToolRunState
from chat.openapi.events import REPLAY, event_schemas
from chat.openapi.schema import (
    Json,
    anything,
    key,
    listed,
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

PROBLEM = record(
    {
        "message": text("For people: English, or the language of a browser's session."),
        "code": text("For programs.", examples=["BAD_REQUEST"]),
        "fields?": {
            "type": "object",
            "additionalProperties": text(),
            "description": "A sentence for each field that cannot be used.",
        },
        "retry_after_seconds?": whole("Of a 429, as its header `Retry-After`."),
        "run_id?": uuid("Of a 503 by `POST /chat`: the run that goes on."),
    },
    "Every refusal.",
)
HEAD: dict[str, Json] = {
    "id": uuid(),
    "title": text(),
    "title_source": one_of(
        Conversation.TitleSource, "The first words of the question, the model, or a person."
    ),
    "is_pinned": truth(),
    "is_archived": truth(),
    "model_name": text(),
    "created_at": time(),
    "updated_at": time(),
}
MESSAGE = record(
    {
        "id": key(),
        "parent_id": or_null(key("What it follows; null at the beginning.")),
        "role": one_of(Message.Role),
        "content": text(),
        "run_id": or_null(uuid("Of an answer.")),
        "created_at": time(),
    }
)
TOOL_RUN = record(
    {
        "id": uuid(),
        "run_id": uuid(),
        "call_id": text(),
        "tool": text(),
        "server": text(),
        "arguments": anything(),
        "state": one_of(ToolRunState),
        "result": text(),
        "duration_ms": or_null(whole()),
    }
)
RUN_IN_LIST = record({"id": uuid(), "status": one_of(RunStatus), "last_event_id": whole()})
WHOLE = record(
    {
        **HEAD,
        "system_prompt": text(),
        "servers_off": listed(text(), "The slugs of MCP servers that are off here."),
        "current_message_id": or_null(key("The end of the branch that is shown.")),
        "messages": listed(MESSAGE, "Of all branches."),
        "runs": listed(RUN_IN_LIST),
        "tool_runs": listed(TOOL_RUN),
    }
)
RUN = record(
    {
        "id": uuid(),
        "status": one_of(RunStatus),
        "conversation_id": uuid(),
        "last_event_id": whole(),
        "usage": ref("Usage"),
        "error?": record({"message": text(), "code": text()}),
    }
)
STARTED = record(
    {
        "conversation_id": uuid(),
        "run_id": uuid(),
        "events_url": text("Where to follow the run."),
        "model_name": text("Which model answers."),
    }
)
PAGED: dict[str, Json] = {"page": whole(least=1), "pages": whole(), "total": whole()}
RANGES = listed(
    listed(whole(), minItems=2, maxItems=2), "Ranges `[start, end]`, in Unicode characters."
)
HIT = record(
    {
        "conversation": ref("Conversation"),
        "where": one_of(["title", "question", "answer"]),
        "message_id": or_null(key()),
        "excerpt": text(),
        "marks": RANGES,
        "title_marks": RANGES,
        "date": time(),
    }
)
SCHEMAS: dict[str, Json] = {
    "Problem": PROBLEM,
    "Conversation": record(HEAD, "As in lists."),
    "WholeConversation": WHOLE,
    "Conversations": record({"conversations": listed(ref("Conversation")), **PAGED}),
    "Started": STARTED,
    "Run": RUN,
    "Hits": record({"hits": listed(HIT), **PAGED}),
    "Imported": record({"conversation_id": uuid(), **HEAD}),
    "Replay": REPLAY,
    "ExportedConversation": {**DOCUMENT, "description": "A conversation as a file."},
    **event_schemas(),
}
