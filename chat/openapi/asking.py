"""Starting runs."""

from django.conf import settings

from chat.openapi.operation import (
    ACTIVE,
    IDEMPOTENCY_KEY,
    NOT_FOUND,
    OF_BODIES,
    Operation,
    answer,
    in_path,
    media,
    problem,
)
from chat.openapi.schema import Json, key, listed, one_of, or_null, record, ref, text, uuid, whole
from chat.views.bodies import APPROVALS, MAX_SYSTEM_PROMPT_CHARACTERS

GROUP = "Asking"


def streamed(about: str) -> Json:
    ids = {"X_Conversation_Id": uuid(), "X_Run_Id": uuid()}
    return media(about, {"text/event-stream": ref("EventStream")}, **ids)


def _question() -> Json:
    message = text(
        "What is asked.",
        minLength=1,
        maxLength=settings.MAX_MESSAGE_CHARACTERS,
        pattern=r"[^\s\x1c-\x1f]",
    )
    shared: dict[str, Json] = {
        "model_name?": or_null(text("One of those on offer; stays the conversation's.")),
        "servers?": or_null(
            listed(text(), "The slugs of the MCP servers that are on from now on.")
        ),
        "approvals?": one_of(
            (*APPROVALS, "", None), "What becomes of calls that a person must allow."
        ),
        "system_prompt?": or_null(
            text("Of a new conversation.", maxLength=MAX_SYSTEM_PROMPT_CHARACTERS)
        ),
        "conversation_id?": {
            "anyOf": [uuid(), {"enum": ["", None]}],
            "description": "Where to ask; without it, in a new conversation.",
        },
    }
    asked = {
        "message": message,
        "replaces?": or_null(key("The question that this is another version of.")),
        "regenerates?": {"type": "null"},
    }
    again: dict[str, Json] = {
        "regenerates": key("The question that is to be answered once more."),
        "message?": {"enum": ["", None]},
        "replaces?": or_null(key()),
    }
    return {"anyOf": [record({**asked, **shared}), record({**again, **shared})]}


BODIES = {"Question": _question()}
START: dict[int, Json] = {
    **OF_BODIES,
    404: NOT_FOUND,
    409: ACTIVE,
    429: problem(
        "Too many at once or in a minute, or a day that is used up.",
        "QUOTA_EXCEEDED",
        Retry_After=whole(),
    ),
    503: problem("The process is about to end, or the database is away.", "RESTARTING", "STORAGE"),
}
STARTED = answer("The run has begun.", ref("Started"))
SAID = record({"content": text(), "conversation_id": uuid(), "run_id": uuid()})

OPERATIONS = (
    Operation(
        method="post",
        path="/chat/stream",
        name="askAndFollow",
        group=GROUP,
        summary="Ask, and read the answer as it comes",
        about="A client that leaves does not stop the run.",
        parameters=(IDEMPOTENCY_KEY,),
        body=ref("Question"),
        answers={
            200: streamed("The run's events."),
            **START,
            410: problem("The key is of a run whose events were deleted.", "EVENTS_DELETED"),
        },
    ),
    Operation(
        method="post",
        path="/chat",
        name="ask",
        group=GROUP,
        summary="Ask, and get the answer when it is over",
        about="Calls that a person must allow are denied unless `approvals` is `wait`.",
        parameters=(IDEMPOTENCY_KEY,),
        body=ref("Question"),
        answers={200: answer("The answer.", SAID), **START, 502: problem("The run failed.")},
    ),
    Operation(
        method="post",
        path="/api/conversations/",
        name="begin",
        group=GROUP,
        summary="Ask, and follow the run elsewhere",
        parameters=(IDEMPOTENCY_KEY,),
        body=ref("Question"),
        answers={201: STARTED, **START},
    ),
    Operation(
        method="post",
        path="/api/conversations/{id}/messages/",
        name="askThere",
        group=GROUP,
        summary="Ask in a conversation, or have a question answered once more",
        parameters=(in_path(), IDEMPOTENCY_KEY),
        body=ref("Question"),
        answers={201: STARTED, **START},
    ),
)
