"""One step: one request to the model, recorded piece by piece as it arrives."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from chat import events
from chat.agent.ports import (
    ContentDelta,
    Provider,
    ReasoningDelta,
    Record,
    StepFinished,
    ToolCallsAsked,
)
from chat.errors import ProviderError
from chat.tools import Tool, ToolCall
from chat.transcript import ChatMessage


@dataclass(frozen=True, kw_only=True, slots=True)
class StepOutcome:
    """What the model said in one step, complete."""

    content: str
    calls: Sequence[ToolCall] = ()
    finish_reason: str = "stop"
    usage: Mapping[str, int] = field(default_factory=dict)


async def run_step(
    provider: Provider,
    transcript: Sequence[ChatMessage],
    tools: Sequence[Tool],
    record: Record,
) -> StepOutcome:
    """Ask the model once. Raises ProviderError; the request is closed however this ends."""
    text: list[str] = []
    calls: Sequence[ToolCall] = ()
    # Closed in this task at once: the model must not go on for nobody.
    async with aclosing(provider.chat_stream(transcript, tools)) as stream:
        async for event in stream:
            match event:
                case ContentDelta():
                    text.append(event.text)
                    await record(events.content(event.text))
                case ReasoningDelta():
                    await record(events.reasoning(event.text))
                case ToolCallsAsked():
                    calls = event.calls
                case StepFinished():
                    return StepOutcome(
                        content="".join(text),
                        calls=calls,
                        finish_reason=event.finish_reason,
                        usage=event.usage,
                    )
    raise ProviderError("The model's answer broke off.", code="LLM_INCOMPLETE", retryable=True)
