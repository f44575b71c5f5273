"""The chain of finished tool calls: what is changed straight in SQL is found, and named."""

import re
from collections.abc import Callable
from copy import copy
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from chat.models import AgentRun, Attachment, Conversation, LedgerEntry, LedgerHead, ToolRun
from chat.models.ledger import REMOVED_RESULT
from chat.runs.upkeep.erasing import erase
from chat.runs.verification import (
    BACK,
    CHANGED,
    CUT,
    FORGED,
    FORGED_REMOVAL,
    GONE,
    MISSING,
    NO_HEAD,
    NO_PLACE,
    UNEXPECTED,
)
from tests.people import Person
from tests.servers.site import Site
from tests.sse import ask, wait_until


def verify(*arguments: str) -> tuple[bool, str]:
    """Whether all is well, and what the command printed."""
    printed = StringIO()
    try:
        call_command("verify_ledger", *arguments, stdout=printed)
    except CommandError as error:
        return False, f"{printed.getvalue()}{error}"
    return True, printed.getvalue()


def execute(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        assert cursor.rowcount == 1, statement


def said_of(key: object) -> list[str]:
    """The last words of the lines that name this place or this tool run."""
    _, printed = verify()
    lines = [line for line in printed.splitlines() if re.search(rf"{key}\b", line)]
    return [line.partition(": ")[2] for line in lines]


@pytest.fixture
def call(alice: Person) -> Callable[[str], ToolRun]:
    """A finished call of Alice, once the server has sealed it."""

    def made(text: str) -> ToolRun:
        ask(alice.api, f'[[call echo {{"text": "{text}"}}]][[then]][[text ok]]')
        tool_run = ToolRun.objects.filter(run__owner=alice.user).latest("created_at")
        entry = LedgerEntry.objects.filter(tool_run=tool_run.pk)
        wait_until(entry.exists, what="the server has sealed it")
        tool_run.refresh_from_db()
        return tool_run

    return made


def test_what_is_edited_in_sql_is_found_and_named(call: Callable[[str], ToolRun]) -> None:
    tool_run = call("as it was")
    key = tool_run.pk.hex if connection.vendor == "sqlite" else tool_run.pk
    assert said_of(tool_run.pk) == []

    for field, value in {
        "arguments": '{"text": "forged"}',
        "result": "forged",
        "state": "tool_error",
        "tool": "add",
        "rule": "default: allow",
        "duration_ms": 1_000_000,
        "finished_at": timezone.now() - timedelta(days=1),
    }.items():
        before = ToolRun.objects.filter(pk=tool_run.pk).values_list(field, flat=True).get()
        execute(f"UPDATE chat_toolrun SET {field} = %s WHERE id = %s", value, key)
        assert said_of(tool_run.pk) == [CHANGED], field
        ToolRun.objects.filter(pk=tool_run.pk).update(**{field: before})
    assert said_of(tool_run.pk) == []


def test_what_is_inserted_or_taken_out_is_found(call: Callable[[str], ToolRun]) -> None:
    first, second = call("first"), call("second")
    entry = LedgerEntry.objects.get(tool_run=first.pk)
    number = f"#{entry.number}"

    inserted = ToolRun.objects.get(pk=first.pk)
    inserted.pk, inserted.call_id, inserted.is_sealed = uuid4(), "forged", False
    inserted.save(force_insert=True)
    assert said_of(inserted.pk) == [NO_PLACE]
    inserted.delete()

    ToolRun.objects.filter(pk=first.pk).delete()
    assert said_of(first.pk) == [GONE]
    # To say that it was removed rightly takes a signature.
    LedgerEntry.objects.filter(pk=entry.pk).update(removed="all", why="person")
    assert said_of(first.pk) == [FORGED_REMOVAL]
    LedgerEntry.objects.filter(pk=entry.pk).update(removed="", why="")
    first.save(force_insert=True)

    LedgerEntry.objects.filter(pk=entry.pk).delete()
    assert said_of(number) == [MISSING]
    assert said_of(first.pk) == [NO_PLACE]
    forged = copy(entry)
    forged.tool_run = uuid4()
    LedgerEntry.objects.bulk_create([forged])
    assert FORGED in said_of(number)
    LedgerEntry.objects.filter(pk=entry.pk).delete()
    LedgerEntry.objects.bulk_create([entry])
    assert said_of(first.pk) == said_of(second.pk) == []


def test_its_end_cannot_be_cut_off(call: Callable[[str], ToolRun], alice: Person) -> None:
    tool_run = call("the last")
    head, entry = LedgerHead.objects.get(), LedgerEntry.objects.get(tool_run=tool_run.pk)
    noted = f"{entry.number}:{entry.seal}"
    assert not [line for line in said_of(r"#\d+") if line in {CUT, UNEXPECTED}]

    LedgerEntry.objects.filter(pk=entry.pk).delete()
    assert said_of(f"#{entry.number}") == [CUT]
    # Nor by moving the end back by hand: that is signed, and nothing is added to it.
    before = LedgerEntry.objects.filter(number__lt=entry.number).last()
    LedgerHead.objects.update(number=entry.number - 1, seal=before.seal if before else "")
    assert NO_HEAD in verify()[1]
    # An old end with its signature would pass; what was noted elsewhere would not.
    assert CUT in verify("--expect", noted)[1]
    head.save()
    LedgerEntry.objects.bulk_create([entry])
    assert UNEXPECTED in verify("--expect", f"{entry.number}:{'0' * 64}")[1]
    assert said_of(f"#{entry.number}") == []
    with pytest.raises(CommandError, match="--expect must be a number and a seal"):
        call_command("verify_ledger", "--expect", "12")


def test_what_its_owner_deletes_leaves_a_signed_place(call: Callable[[str], ToolRun]) -> None:
    tool_run = call("to be deleted")
    conversation = tool_run.run.conversation_id

    erase(conversation, LedgerEntry.Why.PERSON)

    entry = LedgerEntry.objects.get(tool_run=tool_run.pk)
    assert (entry.removed, entry.why) == ("all", "person")
    assert not Conversation.objects.filter(pk=conversation).exists()
    assert said_of(tool_run.pk) == []
    # Signed for that reason, and no other.
    LedgerEntry.objects.filter(pk=entry.pk).update(why="retention")
    assert said_of(tool_run.pk) == [FORGED_REMOVAL]
    LedgerEntry.objects.filter(pk=entry.pk).update(why="person")
    # Nor does it come back.
    other = call("another").pk
    ToolRun.objects.filter(pk=other).update(id=tool_run.pk)
    assert BACK in said_of(tool_run.pk)
    ToolRun.objects.filter(pk=tool_run.pk).update(id=other)


def test_several_processes_make_one_chain(
    alice: Person, call: Callable[[str], ToolRun], new_site: Callable[..., Site]
) -> None:
    new_site()
    made = [call(str(number)) for number in range(3)]

    entries = LedgerEntry.objects.filter(tool_run__in=[each.pk for each in made])

    assert entries.count() == 3
    assert all(said_of(each.pk) == [] for each in made)


def test_a_new_key_believes_the_one_of_before(call: Callable[[str], ToolRun]) -> None:
    tool_run, old = call("under the old key"), settings.SECRET_KEY

    with override_settings(SECRET_KEY="another", SECRET_KEY_FALLBACKS=[old]):
        assert said_of(tool_run.pk) == []
    with override_settings(SECRET_KEY="another"):
        assert FORGED in said_of(tool_run.pk)
        assert "put the one of before into SECRET_KEY_FALLBACKS" in verify()[1]


def prune(*arguments: str) -> str:
    printed = StringIO()
    call_command("prune", *arguments, stdout=printed)
    return printed.getvalue()


def test_retention_leaves_a_chain_that_verifies(
    alice: Person, call: Callable[[str], ToolRun]
) -> None:
    made = [call(text) for text in ("one", "two", "three")]
    ask(alice.api, "[[call picture]][[then]][[text Look.]]")
    attachment = Attachment.objects.get(run__owner=alice.user)
    path = Path(attachment.file.path)
    kept = call("young")
    runs = [each.run_id for each in made] + [attachment.run_id]
    ago = timezone.now() - timedelta(days=400)
    AgentRun.objects.filter(pk__in=runs).update(finished_at=ago)

    assert "the tool results and files of " in prune("--results", "300d", "--dry-run")
    assert path.exists()
    prune("--results", "300d")

    # The calls are there, with a sentence for what they gave back; so it is for the model.
    assert not path.exists()
    assert not Attachment.objects.filter(pk=attachment.pk).exists()
    assert set(ToolRun.objects.filter(run__in=runs).values_list("result", flat=True)) == {
        REMOVED_RESULT
    }
    answer = AgentRun.objects.get(pk=runs[0]).answer
    assert [c["result"] for step in answer.steps for c in step["calls"]] == [REMOVED_RESULT]
    assert f"/c/{answer.conversation_id}/" in alice.http.get("/").text
    assert "older than results are kept" in alice.http.get(f"/c/{answer.conversation_id}/").text
    assert all(said_of(each.pk) == [] for each in (*made, kept))
    ToolRun.objects.filter(pk=made[0].pk).update(result="forged")
    assert said_of(made[0].pk) == [CHANGED]

    # Whole conversations: a stretch of the chain is one signed place.
    Conversation.objects.filter(runs__in=runs).update(updated_at=ago)
    first, last = (LedgerEntry.objects.get(tool_run=each.pk).number for each in (made[0], made[2]))
    assert "Deleted " in prune("--conversations", "300d")
    assert not ToolRun.objects.filter(run__in=runs).exists()
    stretch = LedgerEntry.objects.get(first__lte=first, number__gte=last)
    assert (stretch.removed, stretch.tool_run, stretch.digest) == ("stretch", None, "")
    ok_of_it = [line for line in verify()[1].splitlines() if line.startswith(f"#{stretch.number}")]
    assert ok_of_it == said_of(kept.pk) == []
    LedgerEntry.objects.filter(pk=stretch.pk).update(first=stretch.begins + 1)
    assert said_of(f"#{stretch.number}") == [FORGED_REMOVAL]
    LedgerEntry.objects.filter(pk=stretch.pk).update(first=stretch.first)

    with pytest.raises(CommandError, match="Nothing is to be removed"):
        prune("--events", "0")


def test_the_server_prunes_by_itself_where_it_is_told_to(
    call: Callable[[str], ToolRun], new_site: Callable[..., Site], alice: Person
) -> None:
    tool_run = call("of long ago")
    ago = timezone.now() - timedelta(days=40_000)
    Conversation.objects.filter(runs=tool_run.run_id).update(updated_at=ago)
    site = new_site(RETENTION_CONVERSATIONS_DAYS="36500")

    httpx.post(f"{site.url}/chat", headers=alice.headers, json={"message": "[[text hi]]"})

    here = ToolRun.objects.filter(pk=tool_run.pk)
    wait_until(lambda: not here.exists(), what="it is removed")
    assert said_of(tool_run.pk) == []
