"""Conversations: listed, read, changed, found, taken along."""

from chat.exchange.document import MAX_BYTES
from chat.openapi.operation import (
    ACTIVE,
    BAD,
    NOT_FOUND,
    OF_BODIES,
    PAGE,
    TOO_LARGE,
    Operation,
    answer,
    in_path,
    in_query,
    media,
)
from chat.openapi.schema import key, one_of, record, ref, text, truth, uuid, whole
from chat.views.bodies import MAX_SYSTEM_PROMPT_CHARACTERS, MAX_TITLE_CHARACTERS
from chat.views.exchange import TYPES

GROUP = "Conversations"
CHANGES = record(
    {
        "title?": text(minLength=1, maxLength=MAX_TITLE_CHARACTERS, pattern=r"[^\s\x1c-\x1f]"),
        "system_prompt?": text(maxLength=MAX_SYSTEM_PROMPT_CHARACTERS),
        "is_pinned?": truth(),
        "is_archived?": truth(),
        "current_message_id?": key("Shows the branch of this message, to its newest end."),
    },
    minProperties=1,
    additionalProperties=False,
)
DELETED = record({"id": uuid(), "restorable_seconds": whole()})
HEAD = ref("Conversation")
BODIES = {"Changes": CHANGES}

OPERATIONS = (
    Operation(
        method="get",
        path="/api/conversations/",
        name="listConversations",
        group=GROUP,
        summary="All of them, the one that moved last first",
        parameters=(PAGE, in_query("archived", text(), "`1`: the archived ones instead.")),
        answers={200: answer("50 at most.", ref("Conversations")), 400: BAD},
    ),
    Operation(
        method="get",
        path="/api/conversations/{id}/",
        name="readConversation",
        group=GROUP,
        summary="One, with its messages, runs and tool runs",
        parameters=(in_path(),),
        answers={200: answer("All of it.", ref("WholeConversation")), 404: NOT_FOUND},
    ),
    Operation(
        method="patch",
        path="/api/conversations/{id}/",
        name="changeConversation",
        group=GROUP,
        summary="Rename, pin, archive, or show another branch",
        parameters=(in_path(),),
        body=ref("Changes"),
        answers={200: answer("As it is now.", HEAD), **OF_BODIES, 404: NOT_FOUND, 409: ACTIVE},
    ),
    Operation(
        method="delete",
        path="/api/conversations/{id}/",
        name="deleteConversation",
        group=GROUP,
        summary="Delete it, and stop the answer that is in progress",
        parameters=(in_path(),),
        answers={200: answer("It can be restored for a while.", DELETED), 404: NOT_FOUND},
    ),
    Operation(
        method="post",
        path="/api/conversations/{id}/restorations/",
        name="restoreConversation",
        group=GROUP,
        summary="Undo a deletion",
        parameters=(in_path(),),
        answers={200: answer("It is back.", HEAD), 404: NOT_FOUND},
    ),
    Operation(
        method="get",
        path="/api/search/",
        name="search",
        group=GROUP,
        summary="Where words stand",
        about="All words have to be there; words in quotes belong together.",
        parameters=(in_query("q", text(), "200 characters are looked at."), PAGE),
        answers={200: answer("A hit is a conversation.", ref("Hits")), 400: BAD},
    ),
    Operation(
        method="get",
        path="/api/conversations/{id}/export/",
        name="exportConversation",
        group=GROUP,
        summary="One as a file",
        parameters=(in_path(), in_query("format", one_of([*TYPES, ""]), "`json` by itself.")),
        answers={
            200: media(
                "The file.",
                {"application/json": ref("ExportedConversation"), "text/markdown": text()},
                Content_Disposition=text(),
            ),
            400: BAD,
            404: NOT_FOUND,
        },
    ),
    Operation(
        method="post",
        path="/api/conversations/imports/",
        name="importConversation",
        group=GROUP,
        summary="Take one in from its file",
        about=f"At most {MAX_BYTES >> 20} MB. Nothing is executed; its runs are over.",
        body=ref("ExportedConversation"),
        answers={
            201: answer("It is the importer's own.", ref("Imported")),
            400: BAD,
            413: TOO_LARGE,
        },
    ),
)
