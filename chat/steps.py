"""What a run did, step by step: the fold of its events.

One fold serves all: the message that is stored at the end, the page, the transcript of the
next question, and what is left to say about a run that a crash cut short.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chat.events import ChatEvent, Kind

WHAT_IS_ASKED = ("tool_run_id", "expires_at", "rule")
WHAT_WAS_DECIDED = ("decision", "by", "arguments", "remember")


@dataclass(slots=True)
class Step:
    """One request to the model: its thinking, its text and the calls it asked for.

    `calls` are dicts with `id`, `name`, `arguments` and, once they ended, `result`, `outcome`
    and `duration_ms`; before that, `state` ("requested", "awaiting_approval" or "running").
    `inputs` are the questions of its server, with the `action` that was the answer. `approval` is
    what a person was asked before it, with the `decision` and who it was `by`.
    """

    reasoning: str = ""
    content: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Step":
        return cls(
            reasoning=data.get("reasoning", ""),
            content=data.get("content", ""),
            calls=[dict(call) for call in data.get("calls", [])],
        )

    def to_json(self) -> dict[str, Any]:
        return {"reasoning": self.reasoning, "content": self.content, "calls": self.calls}


@dataclass(slots=True, eq=False)
class Steps:
    """The fold: `apply` each event of a run in order, then read the rest.

    Equal to another that holds the same, in whatever pieces it came.
    """

    notices: list[str] = field(default_factory=list)
    _steps: list[Step] = field(default_factory=lambda: [Step()])
    # Of the last step, and not in it yet: with each `+=`, all that it holds would be copied.
    _thoughts: list[str] = field(default_factory=list)
    _texts: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, events: Iterable[ChatEvent]) -> "Steps":
        fold = cls()
        for event in events:
            fold.apply(event)
        return fold

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Steps):
            return NotImplemented
        return (self.steps, self.notices) == (other.steps, other.notices)

    @property
    def steps(self) -> list[Step]:
        """All of them, whole."""
        last = self._steps[-1]
        if self._thoughts:
            last.reasoning += "".join(self._thoughts)
            self._thoughts.clear()
        if self._texts:
            last.content += "".join(self._texts)
            self._texts.clear()
        return self._steps

    @property
    def begun(self) -> list[Step]:
        """The steps, or none where nothing was recorded of them."""
        return [] if self.steps == [Step()] else self.steps

    @property
    def final_text(self) -> str:
        """The answer: the text after the last tool result."""
        last = self.steps[-1]
        return "" if last.calls else last.content

    @property
    def open_calls(self) -> list[dict[str, Any]]:
        """Calls that were asked for and have not ended."""
        return [call for step in self.steps for call in step.calls if "outcome" not in call]

    def waits_only(self) -> bool:
        """Whether all that goes on is that a person is asked."""
        calls = self.open_calls
        return bool(calls) and all(call["state"] == "awaiting_approval" for call in calls)

    def server_of(self, call_id: str) -> str:
        """The slug of the server whose tool was asked for; empty where there is no such tool."""
        return str(self._call(call_id).get("server", ""))

    def apply(self, event: ChatEvent) -> None:
        data = event.data
        match event.kind:
            case Kind.CONTENT | Kind.REASONING:
                if self._steps[-1].calls:
                    self._writing()
                is_text = event.kind == Kind.CONTENT
                (self._texts if is_text else self._thoughts).append(data["content"])
            case Kind.TOOL_CALLS:
                self._writing().calls.extend(
                    {**tool, "state": "requested"} for tool in data["tools"]
                )
            case Kind.NOTICE:
                self.notices.append(data["message"])
            case Kind.STEP_RESTARTED:
                self._writing()
                self.steps[-1] = Step()
            case _:
                self._apply_to_call(event.kind, data)

    def to_json(self) -> list[dict[str, Any]]:
        """The steps that hold anything, ready to be stored."""
        return [
            step.to_json() for step in self.steps if step.reasoning or step.content or step.calls
        ]

    def _writing(self) -> Step:
        """The step that text belongs to now: a new one once the last one's calls have ended."""
        last = self.steps[-1]
        if last.calls and all("outcome" in call for call in last.calls):
            self.steps.append(Step())
        return self.steps[-1]

    def _call(self, call_id: str) -> dict[str, Any]:
        calls = (call for step in reversed(self.steps) for call in step.calls)
        return next((call for call in calls if call["id"] == call_id), {})

    def _apply_to_call(self, kind: Kind, data: Mapping[str, Any]) -> None:
        match kind:
            case Kind.TOOL_EXECUTING:
                self._call(data["id"])["state"] = "running"
            case Kind.APPROVAL_REQUIRED | Kind.APPROVAL_DECIDED:
                self._permit(self._call(data["id"]), data)
            case Kind.TOOL_RESULT:
                self._end(self._call(data["id"]), data)
            case Kind.INPUT_REQUIRED:
                self._call(data["call_id"]).setdefault("inputs", []).append(dict(data))
            case Kind.INPUT_GIVEN:
                self._answer(self._call(data["call_id"]), data)

    @staticmethod
    def _permit(call: dict[str, Any], data: Mapping[str, Any]) -> None:
        kept = WHAT_WAS_DECIDED if "decision" in data else WHAT_IS_ASKED
        call["state"] = "requested" if "decision" in data else "awaiting_approval"
        known = {name: data[name] for name in kept if name in data}
        call["approval"] = call.get("approval", {}) | known

    @staticmethod
    def _answer(call: dict[str, Any], data: Mapping[str, Any]) -> None:
        for asked in call.get("inputs", ()):
            if asked["id"] == data["id"]:
                asked["action"] = data["action"]

    @staticmethod
    def _end(call: dict[str, Any], data: Mapping[str, Any]) -> None:
        call.pop("state", None)
        kept = ("result", "outcome", "duration_ms", "bytes", "attachments")
        call.update((name, data[name]) for name in kept if name in data)
