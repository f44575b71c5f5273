"""Reads the file of a conversation: all of it is as it has to be, or none of it is taken."""

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from chat.events import encode
from chat.exchange.document import (
    FORMAT,
    MAX_BYTES,
    MAX_DEPTH,
    MAX_TOOL_RUNS,
    OLD_VERSION,
    VERSION,
    Json,
    validator,
)
from chat.text import say

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


class Unusable(Exception):
    """The file cannot be imported. Its text is a sentence for the person."""


def read_document(data: bytes) -> Json:
    """The document; its times are datetimes between EARLIEST and now. Raises Unusable."""
    if len(data) > MAX_BYTES:
        raise Unusable(say("The file is larger than {size} MB.", size=MAX_BYTES >> 20))
    try:
        found = json.loads(data, parse_constant=_refuse)
        _check_values(found, MAX_DEPTH)
        # What no database can hold is replaced, as in what is said here.
        document: Json = json.loads(encode({"it": found}))["it"]
    except (ValueError, RecursionError) as error:
        raise Unusable(say("The file is not JSON that can be kept.")) from error
    _check(document)
    _check_runs(document)
    for holder, name in _times(document):
        holder[name] = _time(holder[name], name)
    return document


def _check(document: Any) -> None:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise Unusable(say("The file is no conversation that was exported here."))
    if document.get("version") == OLD_VERSION:
        _renew(document)
    if document.get("version") != VERSION:
        raise Unusable(
            say(
                "The file has a version that is not known here; known is {version}.",
                version=VERSION,
            )
        )
    error = next(validator.iter_errors(document), None)
    if error is not None:
        where = error.json_path.removeprefix("$").removeprefix(".")[:100] or "the file"
        raise Unusable(say("The file cannot be used: {where} is not as it has to be.", where=where))


def _renew(document: Json) -> None:
    """What an older file says, as this version does; all else is left to be checked."""
    document |= {"version": VERSION, "current": None}
    question = None
    messages = document.get("messages")
    for place, message in enumerate(messages if isinstance(messages, list) else ()):
        if not isinstance(message, dict):
            continue
        is_answer = message.get("role") == "assistant"
        message["parent"] = question if is_answer else place - 1 if place else None
        question = question if is_answer else place


def _fits(message: Json, place: int, messages: list[Json]) -> bool:
    """A message comes after what it follows; an answer follows a question."""
    parent = message["parent"]
    if message["role"] == "user":
        return parent is None or parent < place
    return parent is not None and parent < place and messages[parent]["role"] == "user"


def _check_runs(document: Json) -> None:
    if document["messages"][0]["role"] != "user":
        raise Unusable(say("The file cannot be used: its first message is no question."))
    if (document["current"] or 0) >= len(document["messages"]):
        raise Unusable(say("The file cannot be used: current is no message."))
    for place, message in enumerate(document["messages"]):
        if not _fits(message, place, document["messages"]):
            raise Unusable(
                say(
                    "The file cannot be used: messages[{place}] follows none it could.", place=place
                )
            )
    total = 0
    for message in document["messages"]:
        ids = [tool_run["call_id"] for tool_run in _tool_runs(message)]
        if len(ids) != len(set(ids)):
            raise Unusable(say("The file cannot be used: two tool runs have the same call_id."))
        total += len(ids)
    if total > MAX_TOOL_RUNS:
        raise Unusable(
            say(
                "The file has more than {most} tool runs.",
                most=f"{MAX_TOOL_RUNS:,}",
            )
        )


def _times(document: Json) -> Iterator[tuple[Json, str]]:
    yield document, "created_at"
    for message in document["messages"]:
        yield message, "created_at"
        for timed in [message, *_tool_runs(message)]:
            for name in ("started_at", "finished_at"):
                if timed.get(name) is not None:
                    yield timed, name


def _tool_runs(message: Json) -> list[Json]:
    return [tool_run for step in message.get("steps", ()) for tool_run in step["tool_runs"]]


def _time(text: str, name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return min(max(moment, EARLIEST), datetime.now(UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError) as error:
        raise Unusable(
            say("The file cannot be used: {name} is no time with its zone.", name=name)
        ) from error


def _check_values(value: Any, depth: int) -> None:
    """Numbers that are none, and what is nested without end, raise ValueError."""
    if depth == 0 or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        _check_values(each, depth - 1)


def _refuse(constant: str) -> None:
    raise ValueError(constant)
