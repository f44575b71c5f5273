"""Following runs, and acting on them."""

from chat.openapi.asking import streamed
from chat.openapi.operation import (
    AFTER,
    BAD,
    LAST_EVENT_ID,
    NOT_FOUND,
    OF_BODIES,
    Operation,
    answer,
    in_path,
    media,
    problem,
)
from chat.openapi.schema import anything, one_of, or_null, record, ref, text, uuid
from chat.views.approvals import REMEMBER, STATES
from chat.views.inputs import ACTIONS

GROUP = "Runs"
CANCELLED = record({"id": uuid()})
DECISION = record(
    {
        "decision": one_of(STATES),
        "remember?": one_of(
            (REMEMBER, None), "Do not ask again about this definition of the tool here."
        ),
        "arguments?": or_null(anything("Call it with these instead.")),
    }
)
ANSWER = record(
    {"action": one_of(ACTIONS), "content?": anything("What the form's schema asks for.")}
)
BODIES = {"Decision": DECISION, "Answer": ANSWER}

OPERATIONS = (
    Operation(
        method="get",
        path="/api/runs/{id}/events/",
        name="followRun",
        group=GROUP,
        summary="Follow a run from any event on",
        parameters=(in_path(), AFTER, LAST_EVENT_ID),
        answers={
            200: streamed("The events after the cursor, as they come."),
            204: answer("The run is over and was read to its end, or its events were deleted."),
            400: BAD,
            404: NOT_FOUND,
        },
    ),
    Operation(
        method="get",
        path="/api/runs/{id}/",
        name="readRun",
        group=GROUP,
        summary="How a run is doing",
        parameters=(in_path(),),
        answers={200: answer("The run.", ref("Run")), 404: NOT_FOUND},
    ),
    Operation(
        method="get",
        path="/api/runs/{id}/replay/",
        name="replayRun",
        group=GROUP,
        summary="The events of a finished run, with their times",
        parameters=(in_path(), AFTER, LAST_EVENT_ID),
        answers={
            200: answer("At most 1,000 of them.", ref("Replay")),
            400: BAD,
            404: NOT_FOUND,
            409: problem("The run goes on.", "RUN_ACTIVE"),
            410: problem("Its events were deleted.", "EVENTS_DELETED"),
        },
    ),
    Operation(
        method="post",
        path="/api/runs/{id}/cancellations/",
        name="stopRun",
        group=GROUP,
        summary="Stop a run",
        about="The stream then ends with `done`, and `cancelled` as its `finish_reason`.",
        parameters=(in_path(),),
        answers={
            200: answer("There is nothing left to stop.", CANCELLED),
            202: answer("It stops.", CANCELLED),
            404: NOT_FOUND,
        },
    ),
    Operation(
        method="post",
        path="/api/tool-runs/{id}/approvals/",
        name="decide",
        group=GROUP,
        summary="Allow or deny a tool call that waits for it",
        about="`id` is the `tool_run_id` of the event `approval_required`.",
        parameters=(in_path(),),
        body=ref("Decision"),
        answers={
            200: answer("That holds.", record({"tool_run_id": uuid(), "decision": one_of(STATES)})),
            **OF_BODIES,
            404: NOT_FOUND,
            409: problem("It is decided, has expired, or is over.", "DECIDED"),
        },
    ),
    Operation(
        method="post",
        path="/api/inputs/{id}/answers/",
        name="answerInput",
        group=GROUP,
        summary="Answer what an MCP server asks",
        about="`id` is that of the event `input_required`.",
        parameters=(in_path(),),
        body=ref("Answer"),
        answers={
            200: answer("The server is told.", record({"id": uuid(), "action": one_of(ACTIONS)})),
            **OF_BODIES,
            404: NOT_FOUND,
            409: problem("It was answered, or is over.", "ANSWERED"),
        },
    ),
    Operation(
        method="get",
        path="/attachments/{id}/",
        name="readFile",
        group=GROUP,
        summary="A file that a tool gave back",
        about="Also with HEAD. Without credentials it leads to the sign-in page.",
        parameters=(in_path(),),
        credentials="page",
        answers={
            200: media("The file.", {"*/*": text()}),
            302: {"description": "No credentials."},
            404: media("Nothing is there, or it is somebody else's.", {"text/html": text()}),
        },
    ),
)
