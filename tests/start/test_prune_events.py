"""manage.py prune_events: old events go, what people and admins see stays."""

import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F
from django.utils import timezone

from chat.models import AgentRun, MCPServer, Message, RunEvent, ToolRun
from chat.runs.upkeep.retention import ROWS_AT_ONCE, batches
from tests.people import Person
from tests.servers.site import free_port
from tests.sse import Frame, ask, begin, read

TOOL = '[[reason Hm.]][[call echo {"text": "kept"}]][[then]][[text It said kept.]]'


def prune(*arguments: str) -> str:
    printed = StringIO()
    call_command("prune_events", *arguments, stdout=printed)
    return printed.getvalue()


def aged_run(person: Person, *, days: int) -> tuple[AgentRun, list[Frame]]:
    """An answer with a notice, thinking and a tool, moved into the past."""
    url = f"http://127.0.0.1:{free_port()}/mcp"
    dead = MCPServer.objects.create(name="Dead tools", slug="dead-tools", url=url)
    try:
        seen = ask(person.api, TOOL)
    finally:
        dead.delete()
    run = AgentRun.objects.filter(owner=person.user).latest("created_at")
    ago = timedelta(days=days)
    AgentRun.objects.filter(pk=run.pk).update(
        started_at=F("started_at") - ago, finished_at=F("finished_at") - ago
    )
    run.refresh_from_db()
    return run, seen


def page_of(person: Person, run: AgentRun) -> str:
    page = person.http.get(f"/c/{run.conversation_id}/").text
    shown = page[page.index("<main") : page.index("</main>")]
    # When its first token came is known from its events only.
    shown = re.sub(r"<div><dt>First token</dt>.*?</div>", "", shown)
    # How long the thinking took is told by its events alone; a form's token is always new.
    return re.sub(r' for \d+ s|name="csrfmiddlewaretoken" value="\w+"', "", shown)


def test_old_events_go_and_nothing_else(alice: Person) -> None:
    old, _ = aged_run(alice, days=91)
    young, seen = aged_run(alice, days=89)
    page, rows = page_of(alice, old), RunEvent.objects.filter(run=old)
    assert "Dead tools" in page

    printed = prune("--older-than", "90d")

    assert re.fullmatch(
        r"Deleted [\d,]+ rows with the events of [\d,]+ runs? that ended before "
        r"\d{4}-\d\d-\d\d \d\d:\d\d UTC\.\n",
        printed,
    )
    assert [row.kind for row in rows] == ["notice"]
    assert page_of(alice, old) == page
    assert read(alice.api, str(young.pk)) == seen
    assert Message.objects.get(run=old).content == "It said kept."
    assert ToolRun.objects.get(run=old).result == "kept"
    assert AgentRun.objects.get(pk=old.pk).last_seq == old.last_seq


def test_a_reader_of_deleted_events_is_told_that_nothing_comes(alice: Person) -> None:
    run, _ = aged_run(alice, days=91)
    prune("--older-than", "90d")

    for after in (0, 1, run.last_seq):
        response = alice.api.get(f"/api/runs/{run.pk}/events/?after={after}")
        assert (response.status_code, response.content) == (204, b"")
    conversation = alice.api.get(f"/api/conversations/{run.conversation_id}/").json()
    assert conversation["messages"][-1]["content"] == "It said kept."


def test_a_dry_run_counts_and_deletes_nothing(alice: Person) -> None:
    prune("--older-than", "90d")
    run, seen = aged_run(alice, days=91)
    rows = RunEvent.objects.filter(run=run).exclude(kind="notice").count()

    printed = prune("--older-than", "90d", "--dry-run")

    assert printed.startswith(f"There are {rows} rows with the events of 1 run that ended before")
    assert read(alice.api, str(run.pk)) == seen


def test_a_run_that_goes_on_keeps_its_events_however_old_it_is(alice: Person) -> None:
    run_id = begin(alice.api, "[[text Well]][[stall]]")["run_id"]
    read(alice.api, run_id, until=lambda frame: frame.event == "content")
    long_ago = timezone.now() - timedelta(days=91)
    AgentRun.objects.filter(pk=run_id).update(created_at=long_ago, started_at=long_ago)

    prune("--older-than", "90d")

    assert RunEvent.objects.filter(run_id=run_id).count() == 1
    alice.api.post(f"/api/runs/{run_id}/cancellations/")
    assert [frame.event for frame in read(alice.api, run_id)] == ["content", "done"]


def test_a_batch_has_no_more_than_some_thousand_rows() -> None:
    counts = [1500, 400, 101, 2000, 9000, 1, 1]

    found = list(batches(list(enumerate(counts))))  # type: ignore[arg-type]

    assert [sum(counts[place] for place in batch) for batch in found] == [1900, 101, 2000, 9000, 2]
    assert all(len(b) == 1 or sum(counts[p] for p in b) <= ROWS_AT_ONCE for b in found)


@pytest.mark.parametrize(
    "text", ["", "90", "d", "0d", "-1d", "1.5d", "90 d", "90D", "٣d", "999999d"]
)
def test_an_age_that_is_none_is_answered_with_a_sentence(text: str) -> None:
    with pytest.raises(CommandError) as refused:
        prune(f"--older-than={text}")

    assert str(refused.value) == (
        "--older-than must be a number of hours, days or weeks, as in 36h, 90d or 12w; "
        f"it is {text!r}."
    )
