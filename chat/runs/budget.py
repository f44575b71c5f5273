"""What a living run may still use: its owner's quotas, held against what is used at every step."""

from collections.abc import Mapping, Sequence

from django.utils import timezone

from chat.errors import ToolBlocked
from chat.models import AgentRun, UsageEntry
from chat.models.limits import check_day, standing_of
from chat.models.quotas import Allowance
from chat.models.rows import insert
from chat.models.usage import Tally
from chat.runs.metrics import step_ended
from chat.runs.pool import in_pool, in_writer
from chat.steps import Step


class RunBudget:
    """Implements ports.Budget; made by `open_budget`.

    Asks the database of nothing where no quota limits what a day may use.
    """

    def __init__(self, run: AgentRun, allowance: Allowance, *, calls: int) -> None:
        self._run = run
        self._allowance = allowance
        self._calls = calls
        # Its start was checked when it was stored.
        self._is_checked = run.allowance is not None
        self._tally = run.tally = Tally()

    async def check(self) -> None:
        """See ports.Budget. What was used so far is stored then, for all runs to see."""
        if self._allowance.has_daily and not self._is_checked:
            taken = None if self._tally.is_empty else self._tally.take()
            await in_writer(_check, self._run, self._allowance, taken)
        self._is_checked = False

    def spend(self, used: Mapping[str, float]) -> None:
        self._tally.add(used)
        step_ended(self._run.model_name, used)

    def spend_call(self) -> None:
        """To be called before each tool call. Raises ToolBlocked past the last one."""
        most = self._allowance.tool_calls_per_run
        if most is not None and self._calls >= most:
            raise ToolBlocked(
                f"It was not executed: this answer may call tools {most} times, and has done so. "
                "Answer with what you have, and say what is missing."
            )
        self._calls += 1


async def open_budget(run: AgentRun, begun: Sequence[Step]) -> RunBudget:
    """The quotas as they were at the run's start; of a run that is gone on with, as they are now.

    `begun`: what it has done before.
    """
    allowance = run.allowance or (await in_pool(standing_of, run.owner_id)).allowance
    calls = [call for step in begun for call in step.calls]
    executed = sum(
        call.get("outcome", call.get("state")) not in {"blocked", "requested", "awaiting_approval"}
        for call in calls
    )
    return RunBudget(run, allowance, calls=executed)


def _check(run: AgentRun, allowance: Allowance, used: Mapping[str, float] | None) -> None:
    if used:
        insert(
            UsageEntry(person_id=run.owner_id, model_name=run.model_name, at=timezone.now(), **used)
        )
    check_day(run.owner_id, allowance)
