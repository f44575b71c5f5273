"""Calls that a person must allow: asked as an event, decided as a row, in whatever process.

Nothing of it lives in memory only: a call that waits is found in its rows by whoever goes on with
the run, waits on, and is made once.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from chat import events
from chat.agent.ports import Admission, Record
from chat.errors import ToolBlocked, ToolDenied
from chat.events import encode
from chat.models import ACTIVE_STATUSES, AgentRun, Approval, ToolRun, ToolRunState
from chat.policy import Decision, Verdict
from chat.redaction import NotKept
from chat.runs.announce import announce
from chat.runs.pool import in_pool, in_writer
from chat.runs.tools.policy import verdict_in
from chat.runs.tools.servers import is_offered
from chat.tools import Tool, ToolCall

State = Approval.State
FORBIDDEN = "The administrators' rules do not allow this call. It was not executed."
OFF = "The tool was taken away before its call was allowed. It was not executed."
NOT_KEPT = "Parts of what was allowed are not kept. It was not executed."
CHANGED = "The tool is not what it was when its call was allowed. It was not executed."
REFUSALS = {
    "person": "The person refused this call. It was not executed. Do not try to get the same done"
    " in another way; go on without it or ask what they want instead.",
    "expiry": "Nobody allowed this call in time. It was not executed.",
    "request": "This call needs a person's approval, and nobody is there to give it. It was not"
    " executed.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """Lets the calls of one run through. `waiting`: whom a decision in this process wakes."""

    run: AgentRun
    record: Record
    waiting: dict[UUID, asyncio.Event]

    async def admit(self, call: ToolCall, tool: Tool) -> Admission:
        """See ports.Toolbox."""
        verdict = await in_pool(verdict_in, self.run, tool)
        if verdict.decision == Decision.DENY:
            raise ToolBlocked(FORBIDDEN, rule=verdict.rule)
        if verdict.decision == Decision.ALLOW and not await self._was_asked(call):
            return Admission(call=call, rule=verdict.rule)
        approval = await self._decision_on(call, tool, verdict)
        await self._check(approval, call, tool)
        if approval.changed_arguments is None:
            return Admission(call=call, rule=verdict.rule)
        try:
            arguments = settings.REDACTION.put_back(approval.changed_arguments, call.arguments)
        except NotKept as error:
            raise ToolBlocked(NOT_KEPT, rule=verdict.rule) from error
        changed = replace(call, arguments=arguments)
        return Admission(call=changed, rule=verdict.rule, is_changed=True)

    async def _was_asked(self, call: ToolCall) -> bool:
        """By a process that is gone: then what was said counts, whatever the rules say by now."""
        if self.run.lease == 1:
            return False
        asked = Approval.objects.filter(tool_run__run=self.run.pk, tool_run__call_id=call.id)
        return await in_pool(asked.exists)

    async def _check(self, approval: Approval, call: ToolCall, tool: Tool) -> None:
        """Whether what was allowed may still be: a day may have passed. Raises ToolBlocked."""
        now = await in_pool(verdict_in, self.run, tool)
        if now.decision == Decision.DENY:
            raise ToolBlocked(FORBIDDEN, rule=now.rule)
        if not await in_pool(is_offered, self.run.conversation_id, tool):
            raise ToolBlocked(OFF, rule=now.rule)
        # As it was stored.
        asked = json.loads(encode(settings.REDACTION.value(call.arguments)))
        if approval.fingerprint != tool.fingerprint or approval.arguments != asked:
            raise ToolBlocked(CHANGED, rule=now.rule)

    async def _decision_on(self, call: ToolCall, tool: Tool, verdict: Verdict) -> Approval:
        """The approval of this call, once it is given. Raises ToolDenied."""
        tool_run = await in_pool(ToolRun.objects.get, run=self.run.pk, call_id=call.id)
        decided = self.waiting[tool_run.pk] = asyncio.Event()
        try:
            if not await in_pool(Approval.objects.filter(tool_run=tool_run).exists):
                await self._ask(call, tool, verdict, tool_run)
            if self.run.denies_approvals:
                await in_writer(settle, tool_run.pk, State.DENIED)
            await decided_or_expired(tool_run.pk, decided)
        finally:
            del self.waiting[tool_run.pk]
        return await self._told(call, tool_run)

    async def _ask(self, call: ToolCall, tool: Tool, verdict: Verdict, tool_run: ToolRun) -> None:
        hours = settings.APPROVAL_TIMEOUT_HOURS
        await self.record(
            events.approval_required(
                call,
                tool_run_id=str(tool_run.pk),
                fingerprint=tool.fingerprint,
                rule=verdict.rule,
                expires_at=(timezone.now() + timedelta(hours=hours)).isoformat(),
            )
        )
        announce(self.run, str(self.run.conversation), "running")

    async def _told(self, call: ToolCall, tool_run: ToolRun) -> Approval:
        """Record the decision, unless that was done before a crash."""
        approval = await in_pool(
            Approval.objects.select_related("tool_run").get, tool_run=tool_run.pk
        )
        is_allowed, by = approval.state == State.ALLOWED, decided_by(approval)
        if approval.tool_run.state == ToolRunState.AWAITING_APPROVAL:
            await self.record(
                events.approval_decided(
                    call,
                    is_allowed=is_allowed,
                    by=by,
                    arguments=approval.changed_arguments,
                    is_remembered=approval.remember,
                )
            )
            announce(self.run, str(self.run.conversation), "running")
        if not is_allowed:
            raise ToolDenied(REFUSALS[by])
        return approval


def decided_by(approval: Approval) -> str:
    """As on the wire: "person", "request" or "expiry"."""
    if approval.state == State.EXPIRED:
        return "expiry"
    return "person" if approval.decided_by_id else "request"


async def decided_or_expired(tool_run_id: UUID, decided: asyncio.Event) -> None:
    """Return when the approval is not open any more; whoever sees that sets `decided`."""
    while True:
        await in_writer(expire_overdue)
        if not await in_pool(
            Approval.objects.filter(tool_run=tool_run_id, state=State.OPEN).exists
        ):
            return
        await decided.wait()
        decided.clear()


def settle(
    tool_run_id: UUID,
    state: str,
    *,
    decided_by: int | None = None,
    arguments: Mapping[str, Any] | None = None,
    remember: bool = False,
) -> bool:
    """Decide, once; False if it was decided before, has expired, or its run is over, or stops."""
    now = timezone.now()
    going = AgentRun.objects.filter(status__in=ACTIVE_STATUSES, cancel_requested_at=None)
    # Without a join: Django would look for the open one in a subquery, and PostgreSQL does not look
    # there again once the decision that came first lets go of the row.
    open_ones = Approval.objects.filter(
        tool_run=tool_run_id,
        tool_run__in=ToolRun.objects.filter(run__in=going),
        state=State.OPEN,
        expires_at__gt=now,
    )
    return bool(
        open_ones.update(
            state=state,
            decided_by=decided_by,
            decided_at=now,
            changed_arguments=arguments,
            remember=remember,
        )
    )


def forget(tool_run_id: UUID) -> None:
    """Ask again about what was allowed for good with this call: that definition, there."""
    given = Approval.objects.select_related("tool_run__run").get(tool_run=tool_run_id)
    same = Approval.objects.filter(
        fingerprint=given.fingerprint,
        tool_run__server=given.tool_run.server,
        tool_run__run__conversation=given.tool_run.run.conversation_id,
    )
    same.update(remember=False)


def remembered_in(conversation_id: UUID) -> list[Approval]:
    """What is allowed for good there, the newest first."""
    found = Approval.objects.filter(remember=True, tool_run__run__conversation=conversation_id)
    newest = found.select_related("tool_run").order_by("-decided_at")
    return list({(one.tool_run.server_id, one.fingerprint): one for one in newest}.values())


def expire_overdue() -> None:
    """What nobody decided in time is denied."""
    overdue = Approval.objects.filter(state=State.OPEN, expires_at__lte=timezone.now())
    overdue.update(state=State.EXPIRED, decided_at=F("expires_at"))


def settled_among(tool_run_ids: list[UUID]) -> list[UUID]:
    """Those whose approval is decided, or is overdue."""
    asked = Approval.objects.filter(tool_run__in=tool_run_ids)
    settled = asked.exclude(state=State.OPEN, expires_at__gt=timezone.now())
    return list(settled.values_list("tool_run", flat=True))
