"""A tiny question with a tool, to see what a model's API can do."""

import time
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass, field

from chat import transcript
from chat.agent.ports import (
    ContentDelta,
    Provider,
    ReasoningDelta,
    StepFinished,
    ToolCallsAsked,
)
from chat.errors import ProviderError
from chat.text import say
from chat.tools import Tool

QUESTION = "What is 2 + 2? Use the tool `add`."
ADD = Tool(
    name="add",
    description="Adds two whole numbers.",
    input_schema={
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
)


@dataclass(kw_only=True, slots=True)
class Findings:
    """What was seen. `failure` is one sentence; empty if the model answered. `is_demo`: it was not
    asked, for it comes along.
    """

    is_demo: bool = False
    failure: str = ""
    code: str = ""
    first_token_seconds: float | None = None
    seconds: float = 0
    deltas: int = 0
    calls_tools: bool = False
    usage: dict[str, float] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        return not self.failure

    def lines(self) -> Iterator[str]:
        """For people: a line for each thing that was looked at."""
        if self.failure:
            yield self.failure
            return
        if self.is_demo:
            yield say(
                "This is the demo model, which comes along. Name a real one with LLM_BASE_URL or "
                "OPENROUTER_API_KEY."
            )
            return
        yield say("The API is reachable and knows the model.")
        yield say(
            "First sign of an answer after {seconds} s.",
            seconds=f"{self.first_token_seconds or self.seconds:.2f}",
        )
        if self.calls_tools:
            yield say("It calls tools.")
        else:
            yield say(
                "It did not call the tool it was offered: tools may not work with this model."
            )
        if self.deltas > 1:
            yield say(
                "It streams: {count} pieces in {seconds} s.",
                count=self.deltas,
                seconds=f"{self.seconds:.2f}",
            )
        elif not self.calls_tools:
            yield say("It sent its answer in one piece: it may not stream.")
        yield say("It reports usage.") if self.usage else say("It does not report usage.")


async def check(provider: Provider) -> Findings:
    """Ask once, within the provider's time-outs. Never raises ProviderError."""
    found = Findings()
    began = time.monotonic()
    try:
        async with aclosing(provider.chat_stream([transcript.user(QUESTION)], [ADD])) as stream:
            async for event in stream:
                if found.first_token_seconds is None:
                    found.first_token_seconds = time.monotonic() - began
                match event:
                    case ContentDelta() | ReasoningDelta():
                        found.deltas += 1
                    case ToolCallsAsked():
                        found.calls_tools = True
                    case StepFinished():
                        found.usage = dict(event.usage)
    except ProviderError as error:
        found.failure, found.code = str(error), error.code
    found.seconds = time.monotonic() - began
    return found
