"""Where a model's thinking stands: in fields of its own, in parts of the content, in <think>."""

from collections.abc import Iterator, Mapping
from enum import Enum, auto
from typing import Any

from chat.agent.ports import ContentDelta, ReasoningDelta

Delta = ContentDelta | ReasoningDelta

FIELDS = ("reasoning_content", "reasoning", "thinking")
THINKING_PARTS = frozenset({"thinking", "reasoning"})
TEXT_PARTS = frozenset({"text", "output_text"})
TEXT_KEYS = ("text", "summary", "thinking", "reasoning")
OPEN, CLOSE = "<think>", "</think>"
MAX_BLANKS = 64


def reasoning_of(delta: Mapping[str, Any]) -> str:
    """The thinking in the fields of one delta; many send the same in two of them."""
    for name in FIELDS:
        text = delta.get(name)
        if isinstance(text, str) and text:
            return text
    # What is encrypted has no text; it is not ours to read.
    details = delta.get("reasoning_details")
    return _text_in(details) if details else ""


def deltas_of(content: Any) -> Iterator[Delta]:
    """What a `content` that is not one text holds, in order; unknown parts are left out."""
    for part in content if isinstance(content, list) else [content]:
        kind = part.get("type", "text") if isinstance(part, Mapping) else "text"
        text = _text_in(part)
        if text and kind in THINKING_PARTS:
            yield ReasoningDelta(text=text)
        elif text and kind in TEXT_PARTS:
            yield ContentDelta(text=text)


def _text_in(value: Any) -> str:
    match value:
        case str():
            return value
        case list():
            return "".join(_text_in(part) for part in value)
        case Mapping():
            return next(filter(None, (_text_in(value.get(key)) for key in TEXT_KEYS)), "")
    return ""


class Place(Enum):
    START = auto()
    THOUGHT = auto()
    TEXT = auto()


class ThinkTags:
    """Tells the <think>…</think> at the very start of a content from the text that follows.

    The tags may be cut anywhere; text that mentions them later stays text. White space next to
    the tags goes with them.
    """

    def __init__(self) -> None:
        # Whether all that comes from now on is text.
        self.is_text = False
        self._place = Place.START
        self._held = ""
        self._is_trimming = False

    def add(self, text: str) -> list[Delta]:
        """What is certain now; what may still become a tag is held back."""
        if self.is_text:
            return [ContentDelta(text=text)] if text else []
        found = self._look_for_tags(text)
        self.is_text = self._place is Place.TEXT and not self._is_trimming
        return found

    def _look_for_tags(self, text: str) -> list[Delta]:
        text, self._held = self._held + text, ""
        if self._place is Place.START:
            begin = text.lstrip()
            if OPEN.startswith(begin) and len(text) <= MAX_BLANKS:
                self._held = text
                return []
            self._place = Place.THOUGHT if begin.startswith(OPEN) else Place.TEXT
            if self._place is Place.THOUGHT:
                text, self._is_trimming = begin.removeprefix(OPEN), True
        if self._place is Place.THOUGHT:
            return self._add_thought(text)
        text = self._trimmed(text)
        return [ContentDelta(text=text)] if text else []

    def rest(self) -> list[Delta]:
        """What was held back when nothing more comes. Forgets it."""
        text, self._held = self._held, ""
        if not text:
            return []
        is_thought = self._place is Place.THOUGHT
        return [ReasoningDelta(text=text) if is_thought else ContentDelta(text=text)]

    def _add_thought(self, text: str) -> list[Delta]:
        thought, tag, text = self._trimmed(text).partition(CLOSE)
        if not tag:
            thought, self._held = _split_before_tag(thought)
        found: list[Delta] = [ReasoningDelta(text=thought)] if thought else []
        if tag:
            self._place, self._is_trimming = Place.TEXT, True
            found += self._look_for_tags(text)
        return found

    def _trimmed(self, text: str) -> str:
        if self._is_trimming:
            text = text.lstrip()
            self._is_trimming = not text
        return text


def _split_before_tag(text: str) -> tuple[str, str]:
    """The text, and what at its end may be the beginning of the closing tag."""
    at = text.rfind("<", -len(CLOSE) + 1)
    return (text[:at], text[at:]) if at >= 0 and CLOSE.startswith(text[at:]) else (text, "")
