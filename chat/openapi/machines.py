"""For whoever looks after the process, and for tools that read this document."""

from chat.openapi.operation import Operation, answer, media
from chat.openapi.schema import record, text

GROUP = "Operation"
STATES = record({"process": text(), "database": text(), "channel_layer": text()})

OPERATIONS = (
    Operation(
        method="get",
        path="/healthz",
        name="isAlive",
        group=GROUP,
        summary="Whether the process answers",
        credentials="none",
        answers={200: media("It does.", {"text/plain": text()})},
    ),
    Operation(
        method="get",
        path="/readyz",
        name="isReady",
        group=GROUP,
        summary="Whether database and channel layer answer",
        credentials="none",
        answers={
            200: answer("Each is `ok`.", STATES),
            503: answer("One is not, or the process is about to end.", STATES),
        },
    ),
    Operation(
        method="get",
        path="/metrics",
        name="readFigures",
        group=GROUP,
        summary="Figures for Prometheus",
        credentials="metrics",
        answers={
            200: media("In the text format.", {"text/plain": text()}),
            401: {"description": "Not the token of the settings."},
            404: {"description": "There is none in the settings."},
        },
    ),
    Operation(
        method="get",
        path="/api/openapi.json",
        name="readDocument",
        group=GROUP,
        summary="This document",
        credentials="none",
        answers={200: answer("OpenAPI 3.1.", {"type": "object"})},
    ),
    Operation(
        method="get",
        path="/api/docs",
        name="readPage",
        group=GROUP,
        summary="This document as a page",
        credentials="none",
        answers={200: media("The page.", {"text/html": text()})},
    ),
)
