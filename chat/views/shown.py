"""Reads what the page shows of a run."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Max
from django.utils.translation import gettext

from chat.language import told
from chat.models import AgentRun, RunEvent, RunStatus, ToolRun
from chat.steps import Step, Steps
from chat.text import say
from chat.usage import Total, Usage
from chat.views.asking import Asked, Permission
from chat.views.rail import Call, Entry, Line, Text, Thinking, entries_of

# What a model says is among the first events, behind notices.
FIRST_EVENTS = 8
SIGNS = ("content", "reasoning", "tool_calls")


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownRun:
    """One answer, in progress or ended, with all that its templates need.

    The newest one also says what the conversation used (`spent`, from two answers on) and how
    many of its turns the model was shown (`turns_remembered`; 0: none was left out).
    """

    run: AgentRun
    last_event_id: int
    entries: list[Entry]
    first_token_ms: int | None = None
    spent: Total | None = None
    turns_remembered: int = 0

    @property
    def is_over(self) -> bool:
        return self.run.is_over

    @property
    def has_failed(self) -> bool:
        return self.run.status in {RunStatus.FAILED, RunStatus.INTERRUPTED}

    @property
    def failure(self) -> str:
        return self.run.error_message or say("The answer was interrupted.")

    @property
    def is_silent(self) -> bool:
        """In progress, and nothing on the rail says so."""
        return not self.is_over and not any(_is_moving(entry) for entry in self.entries)

    @property
    def is_asking(self) -> bool:
        """A question of a server, or a call, waits for the person."""
        asking = (Asked, Permission)
        return any(isinstance(entry, asking) and entry.is_open for entry in self.entries)

    @property
    def has_text(self) -> bool:
        return any(isinstance(entry, Text) for entry in self.entries)

    @property
    def duration_ms(self) -> int | None:
        if not (self.run.started_at and self.run.finished_at):
            return None
        return int((self.run.finished_at - self.run.started_at) / timedelta(milliseconds=1))

    @property
    def can_go_on(self) -> bool:
        """It was stopped or cut: the model may be asked to continue."""
        run = self.run
        is_cut = run.status == RunStatus.CANCELLED or run.finish_reason == "length"
        return is_cut and self.has_text

    @property
    def usage(self) -> Usage:
        return Usage.from_json(self.run.usage)


def shown_runs(runs: list[AgentRun]) -> list[ShownRun]:
    """What there is to show of these, in their order; see as_newest in turns.py."""
    started: dict[UUID, dict[str, datetime]] = {}
    times = ToolRun.objects.filter(run__in=runs, started_at__isnull=False)
    for run_id, call_id, at in times.values_list("run_id", "call_id", "started_at"):
        if at:
            started.setdefault(run_id, {})[call_id] = at
    notices = _notices(runs)
    thought = _thought_until(runs)
    shown = [
        _show(run, notices.get(run.pk, []), started.get(run.pk, {}), thought.get(run.pk))
        for run in runs
    ]
    # Last: a run may have ended while it was read.
    begun = _begun(runs)
    return [replace(each, first_token_ms=begun.get(each.run.pk)) for each in shown]


def _show(
    run: AgentRun, notices: list[str], started: dict[str, datetime], thought_until: datetime | None
) -> ShownRun:
    steps, last_event_id = _steps(run)
    seconds = None
    if thought_until and run.started_at:
        seconds = max(1, round((thought_until - run.started_at).total_seconds()))
    entries: list[Entry] = [Line(node="waiting", text=told(notice)) for notice in notices]
    entries += entries_of(steps, is_over=run.is_over, started=started, seconds=seconds)
    if run.status == RunStatus.CANCELLED:
        entries.append(Line(node="stopped", text=gettext("Stopped")))
    if run.finish_reason == "length":
        entries.append(
            Line(node="waiting", text=gettext("Cut off at the length limit of the model."))
        )
    return ShownRun(run=run, last_event_id=last_event_id, entries=entries)


def _steps(run: AgentRun) -> tuple[list[Step], int]:
    """What the run did, and the number of the last event that is in it."""
    answer = getattr(run, "answer", None)
    if answer is not None:
        return answer.read_steps(), run.last_seq
    events = [row.to_event() for row in run.events.order_by("seq")]
    if events and events[-1].is_terminal and not run.is_over:
        # It ended between the two reads.
        run.refresh_from_db()
    return Steps.of(events).steps, (events[-1].number or 0) if events else 0


def _notices(runs: list[AgentRun]) -> dict[UUID, list[str]]:
    """What a line on the rail tells; what the model remembers is told between the turns."""
    found: dict[UUID, list[str]] = {}
    rows = RunEvent.objects.filter(run__in=runs, kind="notice").order_by("seq")
    for row in rows:
        data = row.to_event().data
        if "turns_left_out" not in data:
            found.setdefault(row.run_id, []).append(data["message"])
    return found


def _thought_until(runs: Iterable[AgentRun]) -> dict[UUID, datetime]:
    """When the thinking of these runs ended, where all of it was in the first step."""
    answers = [run.answer for run in runs if getattr(run, "answer", None)]
    thoughtful = [
        answer.run_id
        for answer in answers
        if [bool(step.reasoning) for step in answer.read_steps()].count(True) == 1
        and answer.read_steps()[0].reasoning
    ]
    rows = RunEvent.objects.filter(run__in=thoughtful, kind="reasoning")
    return dict(
        rows.order_by()
        .values("run_id")
        .annotate(until=Max("created_at"))
        .values_list("run_id", "until")
    )


def _begun(runs: Iterable[AgentRun]) -> dict[UUID, int]:
    """Milliseconds until the model's first sign, where that is stored still."""
    started = {run.pk: run.started_at for run in runs if run.started_at and run.is_over}
    rows = RunEvent.objects.filter(run__in=started, seq__lte=FIRST_EVENTS, kind__in=SIGNS)
    found: dict[UUID, int] = {}
    for row in rows.order_by("-seq"):
        at = row.created_at - timedelta(
            milliseconds=json.loads(row.parts)[0][1] if row.parts else 0
        )
        found[row.run_id] = max(0, int((at - started[row.run_id]) / timedelta(milliseconds=1)))
    return found


def _is_moving(entry: Entry) -> bool:
    match entry:
        case Thinking():
            return entry.is_running
        case Text():
            return entry.is_writing
        case Asked() | Permission():
            return entry.is_open
        case Call():
            return entry.state in {"running", "requested", "awaiting_approval"}
        case _:
            return False
