"""Tool calls as models really stream them: in fragments, with gaps, repeats and odd types."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chat.tools import ToolCall


@dataclass(slots=True)
class Slot:
    """A call in the making."""

    id: str = ""
    index: int | None = None
    name: str = ""
    arguments: list[str] = field(default_factory=list)

    def add_name(self, piece: str) -> None:
        # Some repeat the whole name in every fragment, some send it in pieces.
        if piece and not self.name.endswith(piece):
            self.name += piece


class ToolFragments:
    """Assembles the `delta.tool_calls` of one answer."""

    def __init__(self) -> None:
        self._slots: list[Slot] = []

    def add(self, fragment: Mapping[str, Any]) -> None:
        """One element of `delta.tool_calls`; empty ids and names count as absent."""
        function = fragment.get("function")
        function = function if isinstance(function, Mapping) else {}
        call_id, name = _text(fragment.get("id")), _text(function.get("name"))
        slot = self._slot(call_id, fragment.get("index"), name)
        slot.id = slot.id or call_id
        slot.add_name(name)
        match function.get("arguments"):
            case str() as text:
                slot.arguments.append(text)
            case Mapping() as whole:
                slot.arguments.append(json.dumps(dict(whole)))

    def calls(self) -> list[ToolCall]:
        """The calls, complete; a call without an id gets one."""
        return [_call(slot) for slot in self._slots if slot.name]

    def _slot(self, call_id: str, index: Any, name: str) -> Slot:
        index = index if isinstance(index, int) else None
        for slot in reversed(self._slots):
            if call_id and slot.id:
                if slot.id == call_id:
                    return slot
            elif index is not None and slot.index is not None:
                if slot.index == index:
                    return slot
            elif not call_id and (not name or not slot.arguments):
                return slot
        self._slots.append(Slot(index=index))
        return self._slots[-1]


def _call(slot: Slot) -> ToolCall:
    call_id = slot.id or f"call_{uuid.uuid4().hex}"
    text = "".join(slot.arguments).strip()
    try:
        arguments = json.loads(text) if text else {}
        if isinstance(arguments, str):  # Encoded twice.
            arguments = json.loads(arguments)
    except (ValueError, RecursionError) as error:
        return _invalid(call_id, slot.name, text, f"The arguments are not valid JSON: {error}.")
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        return _invalid(call_id, slot.name, text, "The arguments must be a JSON object.")
    return ToolCall(id=call_id, name=slot.name, arguments=arguments)


def _invalid(call_id: str, name: str, text: str, problem: str) -> ToolCall:
    return ToolCall(id=call_id, name=name, invalid_arguments=text, problem=problem)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
