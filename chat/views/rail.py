"""What the page shows of one answer: the entries on its rail, as values for the templates.

Knows no request and asks no database.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chat.steps import Step
from chat.text import size_of
from chat.views.asking import Asked, Permission
from chat.views.files import File

PEEK_CHARACTERS = 120
RESULT_SHOWN_CHARACTERS = 20_000
FOLD_FROM_CALLS = 3

# A tool call's state → the shape of its node, and the word beside it where it is not plain.
STATES: dict[str, tuple[str, str | Promise]] = {
    "requested": ("waiting", _("Waiting")),
    "awaiting_approval": ("waiting", _("Needs your approval")),
    "running": ("running", _("Running")),
    "ok": ("done", ""),
    "tool_error": ("failed", _("Failed")),
    "timeout": ("failed", _("Timed out")),
    "denied": ("stopped", _("Denied")),
    "blocked": ("failed", _("Blocked")),
    "cancelled": ("stopped", _("Stopped")),
    "lost": ("failed", _("Lost")),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Thinking:
    template: ClassVar = "chat/_thinking.html"
    step: int
    text: str
    seconds: int | None = None
    is_running: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    template: ClassVar = "chat/_text.html"
    step: int
    markdown: str
    is_writing: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A plain sentence on the rail."""

    template: ClassVar = "chat/_line.html"
    node: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    template: ClassVar = "chat/_tool_run.html"
    step: int
    call: Mapping[str, Any]
    state: str
    started_at: datetime | None = None

    @property
    def node(self) -> str:
        return STATES[self.state][0]

    @property
    def word(self) -> str | Promise:
        return STATES[self.state][1]

    @property
    def has_ended(self) -> bool:
        return "outcome" in self.call

    @property
    def label(self) -> str:
        return self.call.get("title") or self.call["name"]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        if raw := self.call.get("invalid_arguments"):
            return [(gettext("not valid"), raw)]
        return [(name, _as_text(value)) for name, value in self.call["arguments"].items()]

    @property
    def peek(self) -> str:
        """The main argument: the first text among them, else the first."""
        values = list(self.call["arguments"].values())
        main = next((value for value in values if isinstance(value, str)), values[:1])
        text = main if isinstance(main, str) else "".join(map(_as_text, main))
        return " ".join(text[: 2 * PEEK_CHARACTERS].split())[:PEEK_CHARACTERS]

    @property
    def result(self) -> str:
        return self.call.get("result", "")[:RESULT_SHOWN_CHARACTERS]

    @property
    def rest(self) -> str:
        return self.call.get("result", "")[RESULT_SHOWN_CHARACTERS:]

    @property
    def files(self) -> list[File]:
        return [File.of(each, self.label) for each in self.call.get("attachments", ())]

    @property
    def size(self) -> int:
        return self.call.get("bytes") or size_of(self.call.get("result", ""))


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Several successes in a row, folded once the answer is finished."""

    template: ClassVar = "chat/_tool_group.html"
    calls: list[Call]

    @property
    def duration_ms(self) -> int:
        return sum(call.call.get("duration_ms") or 0 for call in self.calls)

    @property
    def peek(self) -> str:
        names = [call.call["name"] for call in self.calls]
        counted = {name: names.count(name) for name in names}
        return ", ".join(f"{name} \u00d7{n}" if n > 1 else name for name, n in counted.items())


Entry = Thinking | Text | Line | Call | Permission | Asked | Group


def entries_of(
    steps: Iterable[Step], *, is_over: bool, started: Mapping[str, datetime], seconds: int | None
) -> list[Entry]:
    """All that the steps hold, in order. `seconds`: how long the first thinking took."""
    steps = list(steps)
    entries: list[Entry] = []
    for number, step in enumerate(steps):
        is_open = not is_over and number == len(steps) - 1 and not step.calls
        if step.reasoning:
            is_thinking = is_open and not step.content
            took = seconds if number == 0 else None
            entries.append(
                Thinking(step=number, text=step.reasoning, seconds=took, is_running=is_thinking)
            )
        if step.content:
            entries.append(Text(step=number, markdown=step.content, is_writing=is_open))
        for call in step.calls:
            state = call.get("outcome") or ("lost" if is_over else call.get("state", "requested"))
            at = started.get(call["id"])
            entries.append(Call(step=number, call=call, state=state, started_at=at))
            if asked_for := call.get("approval"):
                waits = state == "awaiting_approval"
                entries.append(Permission(step=number, call=call, data=asked_for, is_open=waits))
            entries += _questions(number, call, is_over=is_over)
    return list(_folded(entries)) if is_over else entries


def _questions(number: int, call: Mapping[str, Any], *, is_over: bool) -> Iterator[Asked]:
    for asked in call.get("inputs", ()):
        is_open = "action" not in asked and "outcome" not in call and not is_over
        yield Asked(step=number, data=asked, is_open=is_open)


def _folded(entries: Iterable[Entry]) -> Iterator[Entry]:
    for is_success, found in groupby(entries, key=_is_success):
        neighbours = list(found)
        if is_success and len(neighbours) >= FOLD_FROM_CALLS:
            yield Group(calls=[entry for entry in neighbours if isinstance(entry, Call)])
        else:
            yield from neighbours


def _is_success(entry: Entry) -> bool:
    return isinstance(entry, Call) and entry.state == "ok"


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
