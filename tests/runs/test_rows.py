"""Statements made once do what the ORM's do."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Model, QuerySet
from django.utils import timezone

from chat.models import (
    AgentRun,
    Conversation,
    MCPServer,
    MCPTool,
    Message,
    RunStatus,
    ToolRun,
    UsageEntry,
)
from chat.models.rows import Prepared, insert, update, update_where
from chat.runs.pool import in_pool, in_writer

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def run() -> AgentRun:
    owner = get_user_model().objects.create(username=f"rows-{uuid4().hex}")
    conversation = Conversation.objects.create(owner=owner)
    message = conversation.messages.create(role="user", content="?")
    return AgentRun.objects.create(
        conversation=conversation, owner=owner, message=message, status=RunStatus.COMPLETED
    )


def values_of(row: Model, *, besides: tuple[str, ...] = ()) -> dict[str, Any]:
    """As the database has them."""
    found = type(row)._default_manager.filter(pk=row.pk).values()[0]
    return {name: value for name, value in found.items() if name not in ("id", *besides)}


def both_ways(make: Any, besides: tuple[str, ...] = ()) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is stored of equal rows, by `insert` and by the ORM."""
    ours, theirs = make(), make()
    insert(ours)
    theirs.save(force_insert=True)
    assert not ours._state.adding
    return values_of(ours, besides=besides), values_of(theirs, besides=besides)


def test_an_insert_stores_what_save_stores(run: AgentRun) -> None:
    at = timezone.now()

    def message() -> Model:
        steps = [{"content": "é\U0001f600", "calls": []}]
        return Message(conversation_id=run.conversation_id, role="user", content="x", steps=steps)

    def call() -> Model:
        return ToolRun(
            run=run,
            owner_id=run.owner_id,
            call_id=uuid4().hex,
            iteration=1,
            tool="echo",
            arguments={"n": None, "deep": [1, {"é": 1.5}]},
            created_at=at,
        )

    def usage() -> Model:
        return UsageEntry(person_id=run.owner_id, at=at, runs=1, input_tokens=7, cost=0.25)

    for made, besides in ((message, ("created_at",)), (call, ("call_id",)), (usage, ())):
        ours, theirs = both_ways(made, besides)
        assert ours == theirs


def test_an_update_changes_what_the_orms_changes_and_no_other_row(run: AgentRun) -> None:
    at = timezone.now() - timedelta(days=1)
    values: dict[str, Any] = {
        "status": RunStatus.FAILED,
        "usage": {"input_tokens": 3},
        "finished_at": at,
        "error_message": "é",
        "idempotency_key": None,
    }
    other = AgentRun.objects.create(
        conversation_id=run.conversation_id,
        owner_id=run.owner_id,
        message_id=run.message_id,
        status=RunStatus.COMPLETED,
    )
    untouched = values_of(other)

    update(AgentRun, run.pk, **values)
    ours = values_of(run)
    AgentRun.objects.filter(pk=run.pk).update(**values)

    assert ours == values_of(run)
    assert values_of(other) == untouched

    keys = {"owner": run.owner_id, "conversation": run.conversation_id}
    update_where(AgentRun, {**keys, "status": RunStatus.FAILED}, last_seq=5)
    assert (values_of(run)["last_seq"], values_of(other)["last_seq"]) == (5, 0)


def test_a_prepared_query_gives_what_the_query_gives() -> None:
    slug = f"rows-{uuid4().hex[:8]}"
    # Switched off: the site that the tests share would ask it for tools, for every run.
    server = MCPServer.objects.create(
        slug=slug, name="é", url="http://127.0.0.1", headers={"a": "1"}, is_enabled=False
    )
    MCPTool.objects.create(server=server, name="echo", accepted_fingerprint="f")

    def rows(text: str) -> QuerySet[MCPServer]:
        return MCPServer.objects.filter(slug=text)

    def tuples(text: str) -> QuerySet[MCPTool, tuple[str, bool]]:
        tools = MCPTool.objects.filter(server__slug=text)
        return tools.values_list("server__slug", "is_enabled")

    prepared_rows, prepared_tuples = Prepared(rows), Prepared(tuples)
    for text in (slug, "no such", slug):
        found = prepared_rows(text)
        assert [row.__dict__ | {"_state": 0} for row in found] == [
            row.__dict__ | {"_state": 0} for row in rows(text)
        ]
        assert prepared_tuples(text) == list(tuples(text))
    assert not prepared_rows(slug)[0]._state.adding


async def test_only_the_writer_keeps_what_undoes_a_statement_in_memory() -> None:
    def kept_in_memory() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA temp_store")
            return bool(cursor.fetchone()[0] == 2)

    if connection.vendor != "sqlite":
        pytest.skip("SQLite's")
    assert await in_writer(kept_in_memory)
    assert not await in_pool(kept_in_memory)
