"""A finished run with the times of its events: paged, packed or not, and no longer there."""

import json
from datetime import datetime, timedelta
from typing import Any

from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from chat.models import AgentRun
from chat.runs.replay import EVENTS_AT_ONCE, PAGE_BYTES, replay_page
from chat.runs.upkeep.packing import packed_rows, store
from tests.people import Person
from tests.sse import ask, begin, read

STORY = f'[[reason Hm.]][[call big {{"size": {PAGE_BYTES}}}]][[then]][[tokens 1100]]'


def replayed(person: Person, url: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """All events, page by page, and the first page."""
    events: list[dict[str, Any]] = []
    first = page = person.http.get(url).raise_for_status().json()
    while True:
        assert len(page["events"]) <= EVENTS_AT_ONCE
        events += page["events"]
        if page["next"] is None:
            return events, first
        assert page["next"] == page["events"][-1]["id"]
        page = person.http.get(f"{url}?after={page['next']}").raise_for_status().json()


def test_a_run_comes_back_with_the_times_of_its_events(alice: Person, carol: Person) -> None:
    frames = ask(alice.api, STORY)
    run = AgentRun.objects.get(owner=alice.user)
    url = f"/api/runs/{run.pk}/replay/"

    events, first = replayed(alice, url)

    assert [(e["id"], e["event"], e["data"]) for e in events] == [
        (frame.id, frame.event, frame.data) for frame in frames
    ]
    # The large result ends a page of its own.
    assert len(first["events"]) < EVENTS_AT_ONCE
    times = [event["at_ms"] for event in events]
    assert times == sorted(times)
    rows = dict(run.events.values_list("seq", "created_at"))
    began = datetime.fromisoformat(first["began"])
    for event in events:
        stored = (rows[event["id"]] - began) / timedelta(milliseconds=1)
        assert abs(event["at_ms"] - stored) <= 1
    assert run.started_at == began
    assert times[-1] <= first["total_ms"] + 1

    # Packed, it is the same; and for staff it is too, which is on record.
    store(run.pk, packed_rows(run.pk))
    assert run.events.count() < len(events) // 10
    again, _ = replayed(alice, url)
    admin = f"/admin/chat/agentrun/{run.pk}/replay/"
    assert carol.http.get(admin).status_code == 200
    theirs, _ = replayed(carol, f"{admin}events/")
    for other in (again, theirs):
        assert [{**event, "at_ms": 0} for event in other] == [
            {**event, "at_ms": 0} for event in events
        ]
        assert all(abs(a["at_ms"] - b["at_ms"]) <= 1 for a, b in zip(other, events, strict=True))
    assert [note.what for note in alice.user.staff_accesses.all()] == ["replay"]
    for refused in (admin, f"{admin}events/"):
        assert alice.http.get(refused).status_code == 302
    assert carol.http.get(f"{admin}events/?after=x").status_code == 400

    # In the past, and deleted.
    ago = timedelta(days=90)
    AgentRun.objects.filter(pk=run.pk).update(finished_at=F("finished_at") - ago)
    call_command("prune_events", "--older-than", "60d")
    gone = alice.http.get(url)
    assert (gone.status_code, gone.json()["code"]) == (410, "EVENTS_DELETED")


def test_there_is_nothing_to_replay_while_it_goes_on(alice: Person) -> None:
    started = begin(alice.api, "[[tokens 3000 delay 10]]")

    early = alice.http.get(f"/api/runs/{started['run_id']}/replay/")

    assert (early.status_code, early.json()["code"]) == (409, "RUN_ACTIVE")
    alice.api.post(f"/api/runs/{started['run_id']}/cancellations/")
    read(alice.api, started["run_id"])


def test_a_page_is_read_in_one_go(alice: Person) -> None:
    ask(alice.api, "[[tokens 20 delay 10]]")
    run = AgentRun.objects.get(owner=alice.user)

    # Whether it is there at all, and its events. Between two reads they could be packed.
    with CaptureQueriesContext(connection) as asked:
        page = replay_page(run, after=4)

    assert len(asked) == 2
    assert [event["id"] for event in json.loads(page or "")["events"]][:2] == [5, 6]
