"""Calls that wait for a person, as a program sees them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from django.contrib.auth.models import Group

from chat.models import ToolRule
from tests.people import Person
from tests.sse import Frame, begin, read

WIPE = '[[call wipe {"path": "/a"}]][[then]][[text Done.]]'


def waiting(person: Person, question: str = WIPE, **body: str) -> tuple[dict[str, str], Frame]:
    """A run that waits for an approval, and what it says of it."""
    started = begin(person.api, question, **body)
    seen = read(person.api, started["run_id"], until=lambda f: f.event == "approval_required")
    assert seen[-1].event == "approval_required"
    return started, seen[-1]


def decide(person: Person, asked: Frame, decision: str, **more: Any) -> httpx.Response:
    url = f"/api/tool-runs/{asked.data['tool_run_id']}/approvals/"
    return person.api.post(url, json={"decision": decision, **more})


def kinds(seen: list[Frame]) -> list[str]:
    return [frame.event for frame in seen if frame.event not in {"content", "done"}]


def outcome(seen: list[Frame]) -> tuple[str, str]:
    data = next(frame.data for frame in seen if frame.event == "tool_result")
    return data["outcome"], data["result"]


@contextmanager
def rule(person: Person, **values: Any) -> Iterator[ToolRule]:
    """One that holds for this person only."""
    group = Group.objects.create(name=person.username)
    person.user.groups.add(group)
    row = ToolRule.objects.create(group=group, **values)
    yield row
    ToolRule.objects.filter(pk=row.pk).delete()
    group.delete()
