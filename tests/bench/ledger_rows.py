"""Fills the ledger with calls, fast: plain rows, past the ORM.

A few people, tools and servers have most of the calls, as it is in life; some calls fail, take
long or were asked about. One tool has not been called for weeks.
"""

import json
import random
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Max, Model
from django.utils import timezone

from chat.models import AgentRun, Approval, Conversation, MCPServer, Message, ToolRun

PEOPLE = 200
TOOLS = 60
SERVERS = 8
CALLS_PER_RUN = 3
RUNS_PER_CONVERSATION = 5
DAYS = 70
WORDS = ("harbour", "invoice", "weather", "holiday", "report", "garden", "train", "recipe")
STATES = {"ok": 93, "tool_error": 4, "timeout": 1, "cancelled": 1, "denied": 0.9, "lost": 0.1}
ARGUMENTS = json.dumps({"query": "what somebody wanted to know", "limit": 10})
RESULT = "What the tool said, in a line or two, as most of them do. " * 5


def fill(rows: int) -> None:
    """An empty, migrated database."""
    people = [User(username=f"person-{number}") for number in range(PEOPLE)]
    servers = [
        MCPServer(name=f"Server {number}", slug=f"server-{number}", url="https://tools.example/mcp")
        for number in range(SERVERS)
    ]
    with transaction.atomic():
        owners = [user.pk for user in User.objects.bulk_create(people)]
        MCPServer.objects.bulk_create(servers)
        made = Made(rows, owners, [server.pk for server in servers])
        for model, columns in COLUMNS.items():
            _store(model, columns, getattr(made, model.__name__.lower())())


COLUMNS: dict[type[Model], tuple[str, ...]] = {
    Conversation: ("id", "owner_id", "title", "created_at", "updated_at"),
    Message: ("id", "conversation_id", "role", "content", "created_at"),
    AgentRun: (
        *("id", "conversation_id", "owner_id", "message_id", "status", "model_name"),
        *("usage", "created_at", "is_packed"),
    ),
    ToolRun: (
        *("id", "run_id", "owner_id", "call_id", "iteration", "tool", "title", "server_id"),
        *("server_name", "arguments", "state", "result", "duration_ms", "created_at"),
    ),
    Approval: ("id", "tool_run_id", "state", "arguments", "created_at", "expires_at"),
}


@dataclass(slots=True)
class Made:
    """The rows of each table, as tuples in the order of its columns."""

    rows: int
    owners: Sequence[int]
    servers: Sequence[uuid.UUID]
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    asked: list[tuple[uuid.UUID, str, datetime]] = field(default_factory=list)
    now: datetime = field(default_factory=timezone.now)
    # There may be messages already.
    first: int = field(
        default_factory=lambda: (Message.objects.aggregate(Max("pk"))["pk__max"] or 0) + 1
    )

    def conversation(self) -> Iterator[tuple[Any, ...]]:
        for number in range(self.rows // CALLS_PER_RUN // RUNS_PER_CONVERSATION + 1):
            title = f"About the {WORDS[number % len(WORDS)]} of {number}"
            at = self._at(number * CALLS_PER_RUN * RUNS_PER_CONVERSATION)
            yield (_id(1, number), self._owner(number), title, at, at)

    def message(self) -> Iterator[tuple[Any, ...]]:
        for number in range(self.rows // CALLS_PER_RUN // RUNS_PER_CONVERSATION + 1):
            yield (self.first + number, _id(1, number), "user", "asked", self.now)

    def agentrun(self) -> Iterator[tuple[Any, ...]]:
        for number in range(self.rows // CALLS_PER_RUN + 1):
            of = number // RUNS_PER_CONVERSATION
            head = (
                _id(2, number),
                _id(1, of),
                self._owner(of),
                self.first + of,
                "completed",
                "bench",
            )
            at = self._at(number * CALLS_PER_RUN)
            yield (*head, '{"cost": 0.01}', at, True)

    def toolrun(self) -> Iterator[tuple[Any, ...]]:
        states = self.chance.choices(list(STATES), list(STATES.values()), k=self.rows)
        for number, state in enumerate(states):
            pk, at = uuid.UUID(int=self.chance.getrandbits(128)), self._at(number)
            run = number // CALLS_PER_RUN
            tool = self._often(TOOLS)
            if number < self.rows // 2 and number % 50 == 0:
                tool = TOOLS
            server, took = tool % SERVERS, int(self.chance.lognormvariate(5, 1.5))
            if number % 50 == 1:
                self.asked.append((pk, "denied" if state == "denied" else "allowed", at))
            yield (
                *(pk, _id(2, run), self._owner(run // RUNS_PER_CONVERSATION)),
                *(f"call_{number}", 1, f"tool_{tool}", f"Looks after {WORDS[tool % 8]} {tool}"),
                *(self.servers[server], f"Server {server}", ARGUMENTS, state),
                *(RESULT, took, at),
            )

    def approval(self) -> Iterator[tuple[Any, ...]]:
        for number, (pk, state, at) in enumerate(self.asked):
            yield (_id(3, number), pk, state, ARGUMENTS, at, at)

    def _at(self, call: int) -> datetime:
        """The first call is the oldest."""
        return self.now - timedelta(days=DAYS) * ((self.rows - call) / self.rows)

    def _owner(self, conversation: int) -> int:
        # Anybody's number, but always the same.
        return self.owners[int((conversation * 7919 % 10_007 / 10_007) ** 3 * PEOPLE)]

    def _often(self, count: int) -> int:
        """A number below `count`, the small ones more often."""
        return int(self.chance.random() ** 3 * count)


def _id(kind: int, number: int) -> uuid.UUID:
    return uuid.UUID(int=kind << 100 | number)


def _store(model: type[Model], columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    """What a column is not given is as in a new row."""
    fields = [it for it in model._meta.local_concrete_fields if not it.null]
    new = {it.column: it.get_default() for it in fields if it.column not in columns}
    table, names = model._meta.db_table, ", ".join([*columns, *new])
    whole = ((*row, *map(_stored, new.values())) for row in rows)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            places = ", ".join(["%s"] * (len(columns) + len(new)))
            plain = (tuple(map(_plain, row)) for row in whole)
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", plain)
            return
        with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
            for row in whole:
                copy.write_row(row)


def _stored(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict | list) else value


def _plain(value: Any) -> Any:
    """As Django stores it in SQLite."""
    if isinstance(value, uuid.UUID):
        return value.hex
    return str(value.replace(tzinfo=None)) if isinstance(value, datetime) else value
