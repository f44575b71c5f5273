"""The recorder of one run: `record(event)` is the only write path of a run."""

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

from django.conf import settings

from chat.errors import RunLost, StorageAway
from chat.events import DELTAS, ChatEvent, Kind, encode, tool_result
from chat.models import AgentRun, RunStatus, ToolRunState
from chat.redaction import Veil
from chat.runs import effects, metrics
from chat.runs.journal import Journal
from chat.steps import Steps

INTERRUPTED = "INTERRUPTED"


class Recorder:
    """Folds the events of a run that is ours; exactly one ending gets through, the first."""

    def __init__(self, journal: Journal, run: AgentRun, steps: Steps | None = None) -> None:
        self.steps = steps or Steps()
        self._journal = journal
        self._run = run
        self._log = journal.open(run.pk, run.lease, run.last_seq)
        self._is_over = self._is_closed = False
        self._veil = Veil(settings.REDACTION)
        self._is_plain = not self._veil.holds_back

    async def record(self, event: ChatEvent) -> None:
        """Store the event, with the rows that change with it. See Journal.append."""
        if self._is_closed:
            raise RunLost("This process has given the run up.")
        if self._is_over:
            return
        if event.kind in DELTAS and self._is_plain:
            self.steps.apply(event)
            await self._journal.append(self._log, event)
            return
        for shown in self._veil.pass_on(event):
            await self._store(shown)

    async def _store(self, event: ChatEvent) -> None:
        if event.kind in DELTAS:
            self.steps.apply(event)
            await self._journal.append(self._log, event)
            return
        # As it will be read back: what no database can hold is replaced in rows and frame alike.
        event = replace(event, data=json.loads(event.to_json()))
        self.steps.apply(event)
        await self._journal.append(self._log, event, self._effect(event))
        self._count(event)

    def close(self) -> None:
        """Record nothing more: what comes now is another process's. `record` raises RunLost."""
        self._is_closed = True

    async def settle(self) -> None:
        """Return when all that was recorded is stored; forget the run. Raises as Journal does."""
        await self._journal.settle(self._log)

    async def end(self, ending: ChatEvent) -> None:
        """Record an ending from outside of the loop: calls that are still open end first."""
        is_stop = ending.data.get("finish_reason") == "cancelled"
        outcome = ToolRunState.CANCELLED if is_stop else ToolRunState.LOST
        for call in self.steps.open_calls:
            text = f"The call has no result: it was {outcome.value}."
            # What that asks for is on its way; and what is queued is followed by the ending.
            with suppress(StorageAway):
                self._log.check()
            with suppress(StorageAway):
                await self.record(
                    tool_result(call["id"], call["name"], text, outcome=outcome, duration_ms=0)
                )
        await self.record(ending)

    def _count(self, event: ChatEvent) -> None:
        if event.is_terminal:
            metrics.run_ended(self._run, status_of(event))
        elif event.kind == Kind.TOOL_RESULT:
            server = self.steps.server_of(event.data["id"])
            seconds = event.data["duration_ms"] / 1000
            metrics.tool_call_ended(server, event.data["outcome"], seconds)

    def _effect(self, event: ChatEvent) -> effects.Effect | None:
        if not event.is_terminal:
            return effects.of_event(self._run, event)
        self._is_over = True
        steps: dict[str, Any] = json.loads(encode({"steps": self.steps.to_json()}))
        text = event.data.get("content", self.steps.final_text)
        return effects.of_ending(self._run, event, status_of(event), steps["steps"], text)


def status_of(ending: ChatEvent) -> RunStatus:
    """The status of a run that ended with this event."""
    if ending.kind == Kind.ERROR:
        is_interrupted = ending.data["code"] == INTERRUPTED
        return RunStatus.INTERRUPTED if is_interrupted else RunStatus.FAILED
    is_cancelled = ending.data["finish_reason"] == "cancelled"
    return RunStatus.CANCELLED if is_cancelled else RunStatus.COMPLETED
