"""Which tools there are is said by the server alone, and which programs by the deployment."""

from collections.abc import Callable
from pathlib import Path

import pytest

from chat.models import MCPServer, ToolRun
from tests.admin.steps import post
from tests.people import Person
from tests.servers.bare_mcp_server import BareMCPServer
from tests.servers.model_server import ScriptedModelServer
from tests.sse import ask, wait_until

AddServer = Callable[..., MCPServer]
KEPT = {"name": "kept", "description": "Bob's own.", "inputSchema": {"type": "object"}}
INVENTED = {"type": "function", "function": {"name": "invented", "parameters": {}}}


def names_in(model_server: ScriptedModelServer, first: int) -> set[str]:
    """The tools that the model was told of, from this request on."""
    asked = [body for _, body in model_server.requests[first:]]
    return {tool["function"]["name"] for body in asked for tool in body.get("tools", ())}


def offered_to(person: Person, model_server: ScriptedModelServer) -> set[str]:
    before = len(model_server.requests)
    ask(person.api, "[[text hello]]")
    return names_in(model_server, before)


def test_what_a_client_names_is_neither_offered_nor_called(
    alice: Person, bob: Person, add_server: AddServer, model_server: ScriptedModelServer
) -> None:
    with BareMCPServer([KEPT]) as server:
        row = add_server(bob, server.url)
        ask(bob.api, "[[text hello]]")
        # A server that is busy with another test may be away for a moment.
        wait_until(lambda: "echo" in offered_to(alice, model_server), 15, "her tools are there")
        body = {"servers": [row.slug, "main"], "tools": [INVENTED], "tool_choice": "required"}
        calls = f"[[call kept]][[call {row.slug}__kept]][[call invented]][[then]][[text No.]]"
        before = len(model_server.requests)

        response = alice.api.post("/chat", json={"message": calls, **body})

        if response.status_code == 400:  # Her list has a server in it that she may not use.
            ask(alice.api, calls)
        assert "kept" not in server.calls
    offered = names_in(model_server, before)
    assert "echo" in offered
    assert not {name for name in offered if "kept" in name or "invented" in name}
    rows = ToolRun.objects.filter(owner=alice.user)
    assert {row.tool: row.state for row in rows} == dict.fromkeys(
        ("kept", f"{row.slug}__kept", "invented"), "blocked"
    )


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """What a program would leave behind."""
    return tmp_path / "started"


def test_no_form_and_no_row_starts_a_program(
    alice: Person, carol: Person, add_server: AddServer, mark: Path
) -> None:
    row = add_server(alice, "http://127.0.0.1:9/mcp")
    page = f"/admin/chat/mcpserver/{row.pk}/change/"
    fields = {"name": row.name, "slug": row.slug, "authorisation": "none", "is_enabled": "on"}
    program = {"command": f"/usr/bin/touch {mark}", "args": str(mark), "source": "config"}

    post(carol, page, **fields, address=row.url, header_lines="", **program)
    row.refresh_from_db()
    assert (row.command, row.source) == ("", "admin")
    for address in (f"stdio:///usr/bin/touch {mark}", f"file:///usr/bin/touch?{mark}", "touch"):
        assert post(carol, page, **fields, address=address, header_lines="").status_code == 200
    # Who can write to the database starts nothing either.
    MCPServer.objects.filter(pk=row.pk).update(url="", command=f"/usr/bin/touch {mark}")
    MCPServer.objects.filter(pk=row.pk).update(source="config")
    ask(alice.api, "[[text hello]]")
    assert not mark.exists()
