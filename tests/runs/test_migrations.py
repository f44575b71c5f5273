"""Migrations of databases with something in them."""

import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth import SESSION_KEY, get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session as DjangosSession
from django.core.management import call_command
from django.db import connections, transaction
from django.utils import timezone

from chat.models import Session

ALIAS = "filled"
# Room for a busy machine.
CONVERSATIONS, TURNS = 100, 100
SECONDS = 10


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[str]:
    """A database of its own, as it was before messages followed each other."""
    base = connections.databases["default"]
    settings = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "old.sqlite3")}
    connections.databases[ALIAS] = {**base, **settings, "OPTIONS": {}}
    call_command("migrate", "chat", "0011", database=ALIAS, verbosity=0)
    yield ALIAS
    connections[ALIAS].close()
    del connections[ALIAS]
    del connections.databases[ALIAS]


def fill() -> None:
    """Questions and answers in turn, those of several conversations at the same time."""
    now, owner = "2026-01-01 00:00:00", 1
    ids = [uuid.uuid4().hex for _ in range(CONVERSATIONS)]
    runs = [uuid.uuid4().hex for _ in range(CONVERSATIONS * TURNS)]
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "INSERT INTO auth_user (id, password, is_superuser, username, first_name, last_name,"
            " email, is_staff, is_active, date_joined) VALUES (1,'',0,'old','','','',0,1,%s)",
            [now],
        )
        cursor.executemany(
            "INSERT INTO chat_conversation (id, owner_id, title, title_source, system_prompt,"
            " model_name, servers_off, created_at, updated_at)"
            " VALUES (%s, %s, 'old', 'words', '', '', '[]', %s, %s)",
            [(pk, owner, now, now) for pk in ids],
        )
        said = "INSERT INTO chat_message (id, conversation_id, role, content, steps, run_id,"
        said += " created_at) VALUES (%s, %s, %s, 'said', '[]', %s, %s)"
        run = "INSERT INTO chat_agentrun (id, conversation_id, owner_id, message_id, status,"
        run += " model_name, lease, takeovers, last_seq, finish_reason, error_code, error_message,"
        run += " usage, turns_left_out, created_at, is_packed) VALUES (%s, %s, %s, %s,"
        run += " 'completed', '', 1, 0, 1, '', '', '', '{}', 0, %s, 1)"
        for number, run_id in enumerate(runs):
            pk = ids[number % CONVERSATIONS]
            cursor.execute(said, (2 * number + 1, pk, "user", None, now))
            cursor.execute(run, (run_id, pk, owner, 2 * number + 1, now))
            cursor.execute(said, (2 * number + 2, pk, "assistant", run_id, now))


def test_messages_that_are_there_are_linked_in_order(filled: str) -> None:
    call_command("migrate", "auth", database=filled, verbosity=0)
    with transaction.atomic(using=filled):
        fill()

    began = time.monotonic()
    call_command("migrate", "chat", "0013", database=filled, verbosity=0)

    assert time.monotonic() - began < SECONDS
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT id, parent_id, role FROM chat_message ORDER BY id")
        rows = cursor.fetchall()
    assert len(rows) == 2 * CONVERSATIONS * TURNS
    for key, parent, role in rows:
        # A question follows the answer one round earlier; an answer its question.
        before = key - 1 if role == "assistant" else key - 2 * CONVERSATIONS + 1
        assert parent == (before if before > 0 else None)


def test_whoever_is_signed_in_stays_so(filled: str) -> None:
    for app, name in (("auth", None), ("sessions", None), ("chat", "0015")):
        call_command("migrate", *filter(None, (app, name)), database=filled, verbosity=0)
    get_user_model().objects.using(filled).create(pk=1, username="old")
    until = timezone.now() + timedelta(days=1)
    store = SessionStore()
    for key, content in (("hers", {SESSION_KEY: "1"}), ("gone", {SESSION_KEY: "2"}), ("none", {})):
        row = DjangosSession(session_key=key, session_data=store.encode(content), expire_date=until)
        row.save(using=filled)

    call_command("migrate", "chat", database=filled, verbosity=0)

    (taken,) = Session.objects.using(filled).all()
    assert (taken.session_key, taken.person_id, taken.expire_date) == ("hers", 1, until)
    assert taken.get_decoded() == {SESSION_KEY: "1"}
