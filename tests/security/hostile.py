"""Hostile text in every place that a page shows: vectors.json, and a database full of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from chat.models import (
    ApiToken,
    Approval,
    Conversation,
    InputRequest,
    MCPAuthorisation,
    MCPServer,
    MCPTool,
    Preferences,
    Quota,
    StaffAccess,
    ToolRule,
    ToolRun,
    ToolRunExport,
    UsageEntry,
)
from tests.people import Person
from tests.security.hostile_accounts import invitations, ways_in
from tests.security.vectors import ALL, VECTORS, short

Json = dict[str, Any]

TURNS = 40
# Nobody answers there.
NOWHERE = "http://127.0.0.1:9/mcp"


def before() -> str:
    """What was asked within a minute counts against the limit."""
    return (timezone.now() - timedelta(minutes=2)).isoformat()


def turn(vector: str, place: int) -> list[Json]:
    """A question, and an answer that has the vector in each of its fields."""
    now = before()
    tool_run = {
        **{"call_id": vector[:200], "tool": vector[:200], "title": vector[:200]},
        **{"server": vector[:80], "arguments": {vector: [vector, {"path": vector}]}},
        **{"invalid_arguments": vector if place % 3 == 0 else "", "result": vector},
        **{"outcome": "tool_error" if place % 2 else "ok", "bytes": 1, "duration_ms": 1200},
        **{"started_at": now, "finished_at": now, "files": []},
    }
    steps = [
        {"reasoning": vector, "content": vector, "tool_runs": [tool_run]},
        {"reasoning": "", "content": vector, "tool_runs": []},
    ]
    answer = {
        **{"role": "assistant", "parent": place, "content": vector, "created_at": now},
        **{"model_name": vector[:200], "status": "failed" if place % 4 else "completed"},
        **{"finish_reason": "", "error_code": vector[:40], "error_message": vector, "usage": {}},
        **{"started_at": now, "finished_at": now, "steps": steps},
    }
    parent = place - 1 if place else None
    question = {"role": "user", "parent": parent, "content": vector, "created_at": now}
    return [question, answer]


def document(vectors: list[str]) -> Json:
    """A conversation as a file, in which nothing is harmless."""
    messages = [part for place, it in enumerate(vectors) for part in turn(it, 2 * place)]
    now = before()
    return {
        **{"format": "ferryline-conversation", "version": 2, "exported_at": now},
        **{"title": vectors[0][:200], "system_prompt": ALL, "model_name": vectors[0][:200]},
        **{"created_at": now, "current": None, "messages": messages},
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Seeded:
    """Where what belongs to Alice is shown, and which rows the admin is to open."""

    chats: list[str]
    fragments: list[str]
    passkeys: list[str]
    invitations: list[str]
    servers: list[MCPServer]


@contextmanager
def seeded(alice: Person, carol: Person) -> Iterator[Seeded]:
    """Alice owns it, Carol is staff; what others might see of it is gone afterwards."""
    chats = [_import(alice, VECTORS[at : at + TURNS]) for at in range(0, len(VECTORS), TURNS)]
    _titles(alice)
    group = Group.objects.create(name=short(30, 150)[7])
    alice.user.groups.add(group)
    servers = _servers(group)
    MCPAuthorisation.objects.create(server=servers[2], user=alice.user, sealed=ALL)
    records = _records(alice, carol)
    invited = invitations(carol)
    fragments = [*_asked(alice), *(f"/tools/{it.slug}/authorisation/" for it in servers[1:2])]
    Quota.objects.create(group=group, tokens_per_day=10**9)
    ToolRule.objects.create(position=9000, decision="ask", group=group, tool=short(9, 200)[8])
    try:
        yield Seeded(
            chats=chats,
            fragments=fragments,
            passkeys=ways_in(alice),
            invitations=[f"/accounts/signup/?invitation={it.text}" for it in invited[:2]],
            servers=servers,
        )
    finally:
        for row in (*servers, group, *records, *invited):
            row.delete()


def _import(alice: Person, vectors: list[str]) -> str:
    taken = alice.api.post("/api/conversations/imports/", json=document(vectors))
    assert taken.status_code == 201, taken.text
    return f"/c/{taken.json()['conversation_id']}/"


def _titles(alice: Person) -> None:
    """One chat for each vector: a page of them in the sidebar, the others in the archive."""
    now = timezone.now()
    Conversation.objects.bulk_create(
        Conversation(
            owner=alice.user,
            title=vector[:200],
            system_prompt=vector,
            archived_at=now if place >= 45 else None,
            updated_at=now - timedelta(minutes=place + 1),
        )
        for place, vector in enumerate(VECTORS)
    )


def _servers(group: Group) -> list[MCPServer]:
    """One that is down, one that each person authorises, one that offers tools."""
    names = short(30, 100)
    rows = [
        MCPServer.objects.create(
            name=name,
            slug=f"hostile-{place}",
            url=NOWHERE,
            headers={"X-Hostile": name.replace("\n", " ")},
            authorisation="personal" if place == 1 else "none",
            is_enabled=place < 2,
            state="down",
            state_reason=ALL,
        )
        for place, name in enumerate(names[2:8])
    ]
    for row in rows:
        row.groups.add(group)
    MCPTool.objects.bulk_create(_tool(rows[2], place) for place in range(len(VECTORS)))
    return rows


def _tool(server: MCPServer, place: int) -> MCPTool:
    """Half of them have changed, half of them cannot be used."""
    vector = VECTORS[place]

    def definition(description: str) -> Json:
        properties = {vector: {"type": "string", "title": vector, "description": description}}
        schema = {"type": "object", "properties": properties}
        named = {"name": vector, "title": vector, "description": description}
        return {**named, "inputSchema": schema}

    return MCPTool(
        server=server,
        name=vector[:200],
        definition=definition(ALL),
        fingerprint="new",
        accepted_definition=definition(vector),
        accepted_fingerprint="old",
        problem=vector if place % 2 else "",
    )


def _records(alice: Person, carol: Person) -> list[Any]:
    """What people and staff have done. Gives back the rows that go with nobody's account."""
    names = short(40, 100)
    Preferences.objects.create(owner=alice.user, system_prompt=ALL)
    kind = ContentType.objects.get_for_model(MCPServer)
    for name in names:
        ApiToken.issue(alice.user, name)
        StaffAccess.objects.create(
            **{"reader": carol.user, "reader_name": name, "owner": alice.user},
            **{"what": "conversation", "about": name, "object_id": "1"},
        )
        LogEntry.objects.create(
            **{"user": carol.user, "content_type": kind, "object_id": "1", "object_repr": name},
            **{"action_flag": CHANGE, "change_message": name},
        )
    entries = UsageEntry.objects.bulk_create(
        UsageEntry(person=alice.user, model_name=name, at=timezone.now(), runs=1, cost=1)
        for name in names
    )
    exports = ToolRunExport.objects.bulk_create(
        ToolRunExport(person=carol.user, made_by=name, format="csv", filters=f"q={name}", rows=1)
        for name in names
    )
    return [*entries, *exports]


def _asked(alice: Person) -> Iterator[str]:
    """A question of a server and a call to be allowed, as a page fetches them."""
    tool_run = ToolRun.objects.filter(owner=alice.user).latest("created_at")
    soon = timezone.now() + timedelta(hours=1)
    fields = {it: {"type": "string", "title": it, "description": it} for it in short(40, 200)}
    question = InputRequest.objects.create(
        **{"run": tool_run.run, "call_id": tool_run.call_id, "tool": tool_run.tool},
        **{"server_name": short(2, 100)[1], "mode": "form", "message": ALL, "expires_at": soon},
        schema={"type": "object", "properties": fields, "required": list(fields)},
    )
    yield f"/inputs/{question.pk}/"
    Approval.objects.create(
        tool_run=tool_run, arguments={it: [it] for it in VECTORS}, expires_at=soon
    )
    yield f"/tool-runs/{tool_run.pk}/approval/"
