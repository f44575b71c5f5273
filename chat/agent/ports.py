"""What the loop needs from the outside, as Protocols. Implemented in providers, mcp and runs."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from chat.events import ChatEvent
from chat.tools import Tool, ToolCall, ToolResult
from chat.transcript import ChatMessage


@dataclass(frozen=True, kw_only=True, slots=True)
class ContentDelta:
    """A piece of the answer's text; never empty."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ReasoningDelta:
    """A piece of the model's thinking; never empty."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCallsAsked:
    """All tool calls of this step, complete. Comes at most once, before StepFinished."""

    calls: Sequence[ToolCall]


@dataclass(frozen=True, kw_only=True, slots=True)
class StepFinished:
    """The model ended its turn. Always the last event; its absence is a ProviderError.

    `finish_reason`: "stop" or "length". `usage`: as far as it is known, token counts
    (`input_tokens`, `output_tokens`, `reasoning_tokens`, `cached_tokens`) and `cost` in US dollars;
    unknown is absent.
    """

    finish_reason: str = "stop"
    usage: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderNotice:
    """Something is missing, and the answer goes on without it: a sentence for the person."""

    text: str
    code: str


ProviderEvent = ContentDelta | ReasoningDelta | ToolCallsAsked | StepFinished | ProviderNotice


class Provider(Protocol):
    """A language-model API we can stream from."""

    model_name: str

    def chat_stream(
        self, transcript: Sequence[ChatMessage], tools: Sequence[Tool]
    ) -> AsyncGenerator[ProviderEvent, None]:
        """One request to the model. An async generator: closing it closes the request.

        Raises ProviderError (a sentence for the person, a code of the wire).
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Discovery:
    """The tools a run may use, and a sentence for each server whose tools could not be had.

    `away`: of those servers, the tools that calls were made of before; offered to nobody.
    """

    tools: Sequence[Tool] = ()
    failures: Sequence[str] = ()
    away: Sequence[Tool] = ()


class OnProgress(Protocol):
    """Told of a tool's progress; `total` and `message` where the tool gives them."""

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Admission:
    """A call that may be made now, and `rule`: what lets it.

    `is_changed`: a person has changed the arguments; these are theirs.
    """

    call: ToolCall
    rule: str = ""
    is_changed: bool = False


class Toolbox(Protocol):
    """The tools a run may use, and how to call them."""

    async def discover(self) -> Discovery:
        """Never raises for a broken server: that is a failure in the Discovery."""
        ...

    def find(self, name: str) -> Tool | None:
        """The tool that was discovered under this name."""
        ...

    async def admit(self, call: ToolCall) -> Admission:
        """Whether this call may be made: at once, or when a person has allowed it.

        Waits for as long as that takes. Raises ToolBlocked and ToolDenied. Called for each call
        right before it is made, also for one that was asked for before a crash.
        """
        ...

    async def call(self, call: ToolCall, on_progress: OnProgress) -> ToolResult:
        """Execute, within bounds of its own; cancelling cancels the tool. Raises ToolError."""
        ...


class Budget(Protocol):
    """What a run may still use. Told of what it uses, asked before it uses more."""

    async def check(self) -> None:
        """To be called before each step. Raises QuotaExceeded where the run may not go on."""
        ...

    def spend(self, used: Mapping[str, float]) -> None:
        """Take note of what a step has used, as far as it is known; see StepFinished."""
        ...


class NoLimits:
    """Implements Budget where nobody counts."""

    async def check(self) -> None:
        """It may always go on."""

    def spend(self, used: Mapping[str, float]) -> None:
        """There is enough."""


class Record(Protocol):
    """The only write path of a run."""

    async def __call__(self, event: ChatEvent, /) -> None:
        """Return when the event is stored; for text deltas, as soon as it is queued."""
        ...
