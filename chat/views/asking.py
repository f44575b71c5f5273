"""What the person is asked on the rail of an answer: a server's question, a call to be allowed."""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from chat.input_form import Field, fields_of

# Marks of order, of format, for private use, of lines.
UNSEEN = frozenset({"Cf", "Co", "Cn", "Zl", "Zp"})

# What was answered → the shape of its node, and the sentence.
ASKED: dict[str, tuple[str, str | Promise]] = {
    "accept": ("done", _("You answered.")),
    "decline": ("stopped", _("You declined.")),
    "cancel": ("stopped", _("Not answered.")),
}

# Who decided what → as for a question.
PERMITTED: dict[str, tuple[str, str, str | Promise]] = {
    "allowed person": ("accept", "done", _("You allowed it.")),
    "always person": ("accept", "done", _("You allowed it, always in this conversation.")),
    "denied person": ("decline", "stopped", _("You denied it.")),
    "denied expiry": ("cancel", "stopped", _("Nobody decided in time: denied.")),
    "denied request": ("cancel", "stopped", _("Denied, as the request wanted.")),
    "": ("cancel", "stopped", _("Not decided.")),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A question of a tool's server. `given`: what was filled in, where it has to be changed."""

    template: ClassVar = "chat/_asked.html"
    step: int
    data: Mapping[str, Any]
    is_open: bool
    given: Mapping[str, Any] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)

    @property
    def node(self) -> str:
        return "waiting" if self.is_open else ASKED[self.action][0]

    @property
    def action(self) -> str:
        return str(self.data.get("action") or "cancel")

    @property
    def word(self) -> str | Promise:
        return "" if self.is_open else ASKED[self.action][1]

    @property
    def fields(self) -> list[Field]:
        return [
            replace(
                field,
                value=self.given.get(field.name, field.value),
                problem=self.problems.get(field.name, ""),
            )
            for field in fields_of(self.data.get("schema") or {})
        ]

    @property
    def problem(self) -> str:
        """What concerns the whole form."""
        return self.problems.get("", "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Permission:
    """A call that a person has to allow. `given`: their arguments, where those cannot be read."""

    template: ClassVar = "chat/_approval.html"
    step: int
    call: Mapping[str, Any]
    data: Mapping[str, Any]
    is_open: bool
    given: str = ""
    problem: str = ""

    @property
    def state(self) -> str:
        """As of a question: "open", or what it came to."""
        return "open" if self.is_open else PERMITTED[self._said][0]

    @property
    def node(self) -> str:
        return "waiting" if self.is_open else PERMITTED[self._said][1]

    @property
    def word(self) -> str | Promise:
        return "" if self.is_open else PERMITTED[self._said][2]

    @property
    def _said(self) -> str:
        decision = "always" if self.is_remembered else self.data.get("decision")
        said = f"{decision} {self.data.get('by')}"
        return said if said in PERMITTED else ""

    @property
    def is_remembered(self) -> bool:
        return "remember" in self.data

    @property
    def label(self) -> str:
        return self.call.get("title") or self.call["name"]

    @property
    def expires_at(self) -> datetime:
        return datetime.fromisoformat(self.data["expires_at"])

    @property
    def arguments(self) -> str:
        """As the model wants them."""
        return _to_be_read(self.call["arguments"])

    @property
    def changed(self) -> str:
        """As the person wanted them; empty where they are the same."""
        changed = self.data.get("arguments")
        return "" if changed is None else _to_be_read(changed)


def _to_be_read(value: object) -> str:
    """JSON in which nothing is hidden, or reorders what is beside it: such signs are escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    if text.isascii():
        return text
    return "".join(json.dumps(c)[1:-1] if unicodedata.category(c) in UNSEEN else c for c in text)
