"""What is not on record is not offered, and is put on record as soon as that can be."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from functools import partial

import pytest
from django.db import connection

from chat.agent.ports import Discovery
from chat.mcp.hub import Hub
from chat.models import Conversation, MCPServer
from chat.runs.pool import in_pool, in_writer
from chat.runs.tools import states as module
from chat.runs.tools.offers import offered
from chat.runs.tools.servers import read_access
from chat.runs.tools.states import ServerStates
from tests.mcp.steps import eventually
from tests.mcp.test_discovery import definition
from tests.people import Person
from tests.servers.bare_mcp_server import BareMCPServer

AddServer = Callable[..., MCPServer]


async def found_by(hub: Hub, states: ServerStates, person: Person, server: MCPServer) -> Discovery:
    """As at the start of a run of this person."""
    conversation = await in_pool(Conversation.objects.create, owner=person.user)
    access = await in_pool(read_access, conversation)
    hub.configure([config for config in access.configs if config.slug == server.slug])
    choose = partial(offered, access, states)
    return await hub.open_toolbox({server.slug}, choose).discover()


@asynccontextmanager
async def open_hub(states: ServerStates | None = None) -> AsyncIterator[Hub]:
    hub = Hub(on_state=states.changed if states else None)
    yield hub
    await hub.aclose()


async def test_what_nobody_has_stored_is_not_offered(alice: Person, add_server: AddServer) -> None:
    with BareMCPServer([definition("ok")]) as bare:
        server = await in_pool(add_server, alice, bare.url)
        async with open_hub() as deaf:
            unknown = await found_by(deaf, ServerStates(), alice, server)
        states = ServerStates()
        async with open_hub(states) as hub:
            first = await found_by(hub, states, alice, server)

        async with open_hub(states) as hub:
            await found_by(hub, states, alice, server)
            await in_pool(server.tools.all().delete)
            again = await found_by(hub, states, alice, server)

    assert [tool.name for tool in again.tools] == ["ok"]
    assert not unknown.tools
    assert unknown.failures == ["Tools that are not on record yet are left out: 1."]
    assert ([tool.name for tool in first.tools], first.failures) == (["ok"], [])


@pytest.mark.skipif(connection.vendor != "sqlite", reason="locks the file")
async def test_what_could_not_be_stored_is_stored_later(
    alice: Person,
    add_server: AddServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # How long SQLite waits for its lock, from the writer's next connection on.
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.2)
    await in_writer(lambda: connection.close())
    monkeypatch.setattr(module, "SETTLE_SECONDS", 0.2)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.2)
    with BareMCPServer([definition("ok")]) as bare:
        server = await in_pool(add_server, alice, bare.url)
        conversation = await in_pool(Conversation.objects.create, owner=alice.user)
        access = await in_pool(read_access, conversation)
        states = ServerStates()
        async with open_hub(states) as hub:
            with closing(sqlite3.connect(connection.settings_dict["NAME"])) as other:
                other.isolation_level = None
                other.execute("BEGIN IMMEDIATE")
                hub.configure([config for config in access.configs if config.slug == server.slug])
                choose = partial(offered, access, states)
                meanwhile = await hub.open_toolbox({server.slug}, choose).discover()
                await eventually(lambda: "could not be saved" in caplog.text, "it was tried")
                other.execute("ROLLBACK")
            monkeypatch.setattr(module, "SETTLE_SECONDS", 15)
            await states.put_on_record({server.slug})
            stored = await in_pool(server.tools.get)
            later = await found_by(hub, states, alice, server)

    assert not meanwhile.tools
    assert stored.accepted_fingerprint
    assert [tool.name for tool in later.tools] == ["ok"]
