"""One step: one request to the model, recorded piece by piece as it arrives."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from chat import events, transcript
from chat.agent.ports import (
    ContentDelta,
    Provider,
    ProviderNotice,
    ReasoningDelta,
    Record,
    StepFinished,
    ToolCallsAsked,
)
from chat.errors import ProviderError
from chat.text import say
from chat.tools import Tool, ToolCall
from chat.transcript import ChatMessage

RETRIES = 2
MAX_WAIT_SECONDS = 30
FIRST_WAIT_SECONDS = 0.5


@dataclass(kw_only=True, slots=True)
class Reply:
    """What the model said in one step; complete when run_step returns it."""

    is_visible: bool = False
    content: str = ""
    reasoning: str = ""
    calls: Sequence[ToolCall] = ()
    finish_reason: str = ""
    usage: Mapping[str, float] = field(default_factory=dict)


async def run_step(
    provider: Provider,
    messages: Sequence[ChatMessage],
    tools: Sequence[Tool],
    record: Record,
    *,
    iteration: int,
) -> Reply:
    """Ask the model; again, at most RETRIES times, while nothing of its answer was visible.

    Raises ProviderError; the request is closed however this ends.
    """
    asked = list(messages)
    for attempt in range(RETRIES + 1):
        reply = Reply()
        try:
            await _ask(provider, asked, tools, record, reply)
            return reply
        except ProviderError as error:
            if reply.is_visible:
                # As it is, and not as something that may be asked again with less.
                raise ProviderError(str(error), code=error.code) from error
            pause = _pause(error, attempt)
            if pause is None:
                raise
            if error.feedback:
                asked.append(transcript.user(error.feedback))
        await asyncio.sleep(pause)
        await record(events.step_restarted(iteration))
    raise AssertionError("the last attempt returns or raises")


async def _ask(
    provider: Provider,
    messages: Sequence[ChatMessage],
    tools: Sequence[Tool],
    record: Record,
    reply: Reply,
) -> None:
    text, thought = [], []
    # Closed in this task at once: the model must not go on for nobody.
    async with aclosing(provider.chat_stream(messages, tools)) as stream:
        async for event in stream:
            match event:
                case ContentDelta():
                    text.append(event.text)
                    reply.is_visible = True
                    await record(events.content(event.text))
                case ReasoningDelta():
                    thought.append(event.text)
                    reply.is_visible = True
                    await record(events.reasoning(event.text))
                case ToolCallsAsked():
                    reply.calls = event.calls
                case ProviderNotice():
                    await record(events.notice(event.text, code=event.code))
                case StepFinished():
                    reply.content, reply.reasoning = "".join(text), "".join(thought)
                    reply.finish_reason, reply.usage = event.finish_reason, event.usage
                    return
    raise ProviderError(say("The model's answer broke off."), code="LLM_INCOMPLETE", retryable=True)


def _pause(error: ProviderError, attempt: int) -> float | None:
    """Seconds until it may be asked again; None if it should not be."""
    # Silence has cost its whole bound already; what the model did wrong twice stays wrong.
    retries = 1 if error.feedback or error.code == "LLM_TIMEOUT" else RETRIES
    asked_for = error.retry_after_seconds or 0
    if not error.retryable or attempt >= retries or asked_for > MAX_WAIT_SECONDS:
        return None
    if error.feedback:
        return 0
    # Not all at the same moment: others were refused with us.
    jitter = random.uniform(1, 1.3)  # noqa: S311 (no secret)
    return max(asked_for, float(FIRST_WAIT_SECONDS * 3**attempt)) * jitter
