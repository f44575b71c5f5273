"""Tool calls as models really stream them: in fragments, with gaps, repeats and odd types."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from chat.errors import ProviderError
from chat.providers.halves import joined
from chat.providers.json_end import JsonEnd
from chat.providers.tool_arguments import call_from, check_storable
from chat.text import say
from chat.tools import ToolCall

MAX_EXTRA_CHARACTERS = 64 << 10
MAX_CALLS = 128
KNOWN_KEYS = frozenset({"id", "index", "type", "function"})
KNOWN_FUNCTION_KEYS = frozenset({"name", "arguments"})


@dataclass(frozen=True, slots=True)
class Fragment:
    """One element of `delta.tool_calls`; empty ids and names count as absent."""

    id: str
    index: int | None
    name: str
    arguments: str
    extra: Mapping[str, Any]
    function_extra: Mapping[str, Any]

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        function = value.get("function")
        function = function if isinstance(function, Mapping) else {}
        index, arguments = value.get("index"), function.get("arguments")
        return cls(
            id=_text(value.get("id")),
            index=index if type(index) is int else None,
            name=_text(function.get("name")),
            # Some send a whole object in place of its text.
            arguments=json.dumps(arguments) if isinstance(arguments, dict) else _text(arguments),
            extra=_unknown(value, KNOWN_KEYS),
            function_extra=_unknown(function, KNOWN_FUNCTION_KEYS),
        )


@dataclass(slots=True)
class Slot:
    """A call in the making."""

    index: int | None
    place: int
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)
    end: JsonEnd = field(default_factory=JsonEnd)
    extra: dict[str, Any] = field(default_factory=dict)

    def add(self, fragment: Fragment) -> None:
        """Everything but the name."""
        self.id = self.id or fragment.id
        self.arguments.append(fragment.arguments)
        self.end.add(fragment.arguments)
        self.extra |= fragment.extra
        if fragment.function_extra:
            self.extra.setdefault("function", {}).update(fragment.function_extra)


class ToolFragments:
    """Assembles the `delta.tool_calls` of one answer. `known_tools`: the names on offer."""

    def __init__(self, known_tools: Iterable[str] = ()) -> None:
        self._known = frozenset(known_tools)
        self._slots: list[Slot] = []
        self._slot_by_id: dict[str, Slot] = {}
        self._last_by_index: dict[int | None, Slot] = {}

    def add(self, value: Mapping[str, Any]) -> None:
        """One element of `delta.tool_calls`. Raises ProviderError past MAX_CALLS calls."""
        fragment = Fragment.of(value)
        slot = self._slot_by_id.get(fragment.id) or self._near(fragment)
        if slot is None:
            slot = self._new(fragment.index)
        slot.name = self._joined(slot.name, fragment.name)
        slot.add(fragment)
        if fragment.id:
            self._slot_by_id[fragment.id] = slot

    def __bool__(self) -> bool:
        """Whether anything of a call has come."""
        return bool(self._slots)

    def calls(self) -> list[ToolCall]:
        """The calls, complete; what never got a name is none."""
        return [_call(slot) for slot in self._slots if slot.name]

    def _new(self, index: int | None) -> Slot:
        if len(self._slots) == MAX_CALLS:
            raise ProviderError(say("The model asked for too many tool calls at once."))
        slot = Slot(index=index, place=len(self._slots))
        self._slots.append(slot)
        self._last_by_index[index] = slot
        return slot

    def _near(self, fragment: Fragment) -> Slot | None:
        """The call that a fragment with no id, or with a new one, goes on with."""
        if fragment.index is None:
            near = self._slots[-1:]
        else:
            last = (self._last_by_index.get(index) for index in (fragment.index, None))
            near = [slot for slot in last if slot]
        slot = max(near, key=lambda slot: slot.place, default=None)
        return None if slot is None or self._is_new(slot, fragment) else slot

    def _is_new(self, slot: Slot, fragment: Fragment) -> bool:
        """Whether a fragment that could go on with this call begins another one."""
        is_ended = slot.end.is_reached
        if fragment.id and slot.id:
            # Some give all calls one index, some give every fragment an id of its own.
            return bool(fragment.name) or is_ended
        is_other = self._is_other(slot, fragment.name)
        if fragment.index is not None:
            # Without ids, nothing says where one call ends: to part them would be a guess.
            return is_ended and is_other
        return is_other or bool(fragment.id) or (is_ended and bool(fragment.arguments))

    def _is_other(self, slot: Slot, name: str) -> bool:
        """Whether this is the name of another tool, and not a repeat or a piece of this one's."""
        current = slot.name
        if not current or not name or name == current or self._is_begun(current + name):
            return False
        if name in self._known:
            return True
        return not current.endswith(name) and (current in self._known or slot.end.is_reached)

    def _joined(self, current: str, piece: str) -> str:
        """Some repeat the whole name in every fragment, some send it in pieces."""
        if not piece or piece == current:
            return current
        if self._is_begun(current + piece):
            return current + piece
        return current if current.endswith(piece) or current in self._known else current + piece

    def _is_begun(self, name: str) -> bool:
        return any(known.startswith(name) for known in self._known)


def _call(slot: Slot) -> ToolCall:
    return call_from(slot.id, slot.name, joined("".join(slot.arguments)), _storable(slot.extra))


def _storable(extra: dict[str, Any]) -> dict[str, Any]:
    try:
        check_storable(extra)
    except ValueError:
        return {}
    return extra if len(json.dumps(extra)) <= MAX_EXTRA_CHARACTERS else {}


def _unknown(values: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in known and value is not None}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
