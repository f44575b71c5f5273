"""Questions of MCP servers to people: asked as an event, answered as a row, in whatever process."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast
from uuid import UUID, uuid4

from django.conf import settings
from django.utils import timezone

from chat import events
from chat.agent.ports import Record
from chat.mcp.questions import Action, Answer, Question
from chat.models import AgentRun, InputRequest
from chat.runs.announce import announce
from chat.runs.pool import in_pool, in_writer
from chat.tools import Tool, ToolCall

# An answer that was given in another process is seen at the next look.
LOOK_SECONDS = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Asker:
    """Asks the owner of one run. `waiting`: whom `answer` in this process wakes."""

    run: AgentRun
    record: Record
    waiting: dict[UUID, asyncio.Event]
    open_of: dict[str, set[UUID]] = field(default_factory=dict)

    async def ask(self, call: ToolCall, tool: Tool, question: Question) -> Answer:
        """The person's answer, or "cancel" once INPUT_TIMEOUT_SECONDS have passed."""
        input_id = uuid4()
        expires_at = timezone.now() + timedelta(seconds=settings.INPUT_TIMEOUT_SECONDS)
        answered = self.waiting[input_id] = asyncio.Event()
        self.open_of.setdefault(call.id, set()).add(input_id)
        try:
            await self.record(
                events.input_required(
                    str(input_id),
                    call,
                    server=tool.server_name,
                    message=question.message,
                    schema=question.schema,
                    url=question.url,
                    expires_at=expires_at.isoformat(),
                )
            )
            self._announce()
            answer = await _answer_to(input_id, answered)
        finally:
            del self.waiting[input_id]
            self.open_of.get(call.id, set()).discard(input_id)
        await self.record(events.input_given(str(input_id), call, action=answer.action))
        self._announce()
        return answer

    async def close(self, call: ToolCall) -> None:
        """The call is over: nobody waits for the answers to its questions any more."""
        for input_id in self.open_of.pop(call.id, set()).copy():
            await in_writer(settle, input_id, "cancel", {})
            if answered := self.waiting.get(input_id):
                answered.set()

    def _announce(self) -> None:
        """Lists of chats mark those that wait for their person."""
        announce(self.run, str(self.run.conversation), "running")


async def _answer_to(input_id: UUID, answered: asyncio.Event) -> Answer:
    deadline = asyncio.get_running_loop().time() + settings.INPUT_TIMEOUT_SECONDS
    while True:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await answered.wait()
        except TimeoutError:
            pass
        if asyncio.get_running_loop().time() >= deadline:
            await in_writer(settle, input_id, "cancel", {})
        row = await in_pool(InputRequest.objects.get, pk=input_id)
        if row.state != InputRequest.State.OPEN:
            return Answer(action=cast(Action, row.state), content=row.content)
        answered.clear()


def settle(input_id: UUID, action: str, content: dict[str, Any]) -> bool:
    """Answer an open question; False if it has been answered, or has expired."""
    now = timezone.now()
    rows = InputRequest.objects.filter(pk=input_id, state=InputRequest.State.OPEN)
    return bool(rows.update(state=action, content=content, answered_at=now))
