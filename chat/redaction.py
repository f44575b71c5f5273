"""What is replaced before it is stored: values under certain names, matches of certain patterns.

Knows no settings: see REDACT_KEYS and REDACT_PATTERNS. docs/redaction.md says what is covered.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from chat.events import DELTAS, ChatEvent, Kind

REDACTED = "[redacted]"
NAME_CHARACTERS = 100
# Of a stream of text this much is held back, so that no match is seen in two halves.
HELD_CHARACTERS = 100
# A name and its value as JSON has them, within any text.
_PAIR = re.compile(r'"([^"\\]{1,100})"(\s*:\s*)("(?:[^"\\]|\\.)*"?|[^\s",}\]\[{]+)')
_TEXTS = ("content", "message", "invalid_arguments", "result")


class NotKept(Exception):
    """A part of these arguments was replaced when they were stored; the original is not known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Redaction:
    """`keys`: names; * and ? stand for anything, case does not count, - is as good as _."""

    keys: tuple[str, ...] = ()
    patterns: Sequence[re.Pattern[str]] = ()

    def __bool__(self) -> bool:
        return bool(self.keys or self.patterns)

    def hides(self, name: str) -> bool:
        # A large result has few names, many times.
        found = _hides if len(name) <= NAME_CHARACTERS else _hides.__wrapped__
        return found(self.keys, name)

    def text(self, text: str) -> str:
        """Prose: what the patterns match."""
        for pattern in self.patterns:
            # \b matches as well, on nothing.
            text = pattern.sub(lambda found: REDACTED if found[0] else "", text)
        return text

    def value(self, value: Any) -> Any:
        """JSON, all the way down."""
        match value:
            case Mapping():
                return {
                    name: REDACTED
                    if inner not in (None, "") and self.hides(str(name))
                    else self.value(inner)
                    for name, inner in value.items()
                }
            case list() | tuple():
                return [self.value(inner) for inner in value]
            case str():
                return self.document(value)
            case bool() | None:
                return value
            case _:
                text = str(value)
                return value if self.text(text) == text else REDACTED

    def document(self, text: str) -> str:
        """What may be JSON, or hold some: names count there as well."""
        if self.keys and '"' in text:
            text = self._names_in(text)
        return self.text(text)

    def _names_in(self, text: str) -> str:
        try:
            parsed = json.loads(text)
            shown = self.value(parsed) if isinstance(parsed, dict | list) else parsed
            # As it was written, where there is nothing to hide.
            return text if shown == parsed else json.dumps(shown, ensure_ascii=False)
        except (ValueError, RecursionError):
            return _PAIR.sub(self._pair, text)

    def _pair(self, found: re.Match[str]) -> str:
        name, between, value = found.groups()
        is_kept = value in {'""', "null"} or not self.hides(name)
        return found[0] if is_kept else f'"{name}"{between}"{REDACTED}"'

    def event(self, event: ChatEvent) -> ChatEvent:
        """An event that is no delta. A call whose arguments lost something says `redacted`."""
        data = dict(event.data)
        if event.kind == Kind.TOOL_CALLS:
            data["tools"] = [self._call(tool) for tool in data["tools"]]
        if "arguments" in data:
            data["arguments"] = self.value(data["arguments"])
        for name in _TEXTS:
            if isinstance(data.get(name), str):
                hide = self.document if name == "result" else self.text
                data[name] = hide(data[name])
        return replace(event, data=data)

    def _call(self, tool: Mapping[str, Any]) -> dict[str, Any]:
        shown = {**tool, "arguments": self.value(tool["arguments"])}
        if "invalid_arguments" in tool:
            shown["invalid_arguments"] = self.document(tool["invalid_arguments"])
        return shown if shown == tool else {**shown, "redacted": True}

    def put_back(self, stored: Any, original: Any) -> Any:
        """Stored arguments as they were meant, where only what `original` says was replaced.

        Raises NotKept.
        """
        if REDACTED not in json.dumps(stored, ensure_ascii=False):
            return stored
        if stored == self.value(original):
            return original
        match stored, original:
            case Mapping(), Mapping():
                return {
                    name: self._put_back_at(name, inner, original) for name, inner in stored.items()
                }
            case list(), list() if len(stored) == len(original):
                pairs = zip(stored, original, strict=True)
                return [self.put_back(inner, before) for inner, before in pairs]
            case _:
                raise NotKept

    def _put_back_at(self, name: str, inner: Any, original: Mapping[str, Any]) -> Any:
        # With its name, which may be the reason.
        is_same = name in original and {name: inner} == self.value({name: original[name]})
        return original[name] if is_same else self.put_back(inner, original.get(name))


@dataclass(slots=True)
class Veil:
    """Over the deltas of one run: the patterns of `redaction` are found across their borders.

    What is held back comes with the next event of another kind.
    """

    redaction: Redaction
    _kind: Kind = Kind.CONTENT
    _held: str = ""

    @property
    def holds_back(self) -> bool:
        """Whether there is anything to look for in deltas; they pass as they are otherwise."""
        return bool(self.redaction.patterns)

    def pass_on(self, event: ChatEvent) -> Iterator[ChatEvent]:
        """What may be stored now."""
        if event.kind in DELTAS and not self.holds_back:
            yield event
        elif event.kind in DELTAS:
            if event.kind != self._kind:
                yield from self._rest()
            self._kind = event.kind
            self._held += event.data["content"]
            yield from self._first(len(self._held) - HELD_CHARACTERS)
        else:
            if event.kind != Kind.STEP_RESTARTED:
                yield from self._rest()
            self._held = ""
            yield self.redaction.event(event)

    def _first(self, count: int) -> Iterator[ChatEvent]:
        """The first `count` characters, or fewer: no match is cut, and none that may still grow."""
        places = [place for each in self.redaction.patterns for place in each.finditer(self._held)]
        # From the back: what moves the border forward may move it into another match.
        for found in sorted(places, key=lambda place: place.end(), reverse=True):
            if found.start() < count < found.end():
                count = found.start()
        if count <= 0:
            return
        text, self._held = self._held[:count], self._held[count:]
        yield self._delta(text)

    def _rest(self) -> Iterator[ChatEvent]:
        text, self._held = self._held, ""
        if text:
            yield self._delta(text)

    def _delta(self, text: str) -> ChatEvent:
        return ChatEvent(kind=self._kind, data={"content": self.redaction.text(text)})


@lru_cache(maxsize=4096)
def _hides(keys: tuple[str, ...], name: str) -> bool:
    plain = _plain(name)
    return any(fnmatchcase(plain, _plain(key)) for key in keys)


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")
