"""Which tools a run is given, and what it is told about those that are missing."""

import asyncio
import socket
import time

from chat.mcp.health import ServerHealth
from chat.mcp.hub import Hub
from chat.mcp.naming import MAX_TOOLS
from tests.mcp.steps import call, config, eventually, toolbox_of
from tests.servers.bare_mcp_server import BareMCPServer
from tests.servers.mcp_server import Era, ScriptedMCPServer, closed_port


def definition(name: str, **values: object) -> dict[str, object]:
    return {"name": name, "description": name, "inputSchema": {"type": "object"}} | values


async def test_a_server_s_tools_are_offered_with_title_and_origin(
    hub: Hub, server: ScriptedMCPServer
) -> None:
    toolbox = await toolbox_of(hub, config(server.url))

    echo = toolbox.find("echo")
    assert echo is not None
    assert (echo.title, echo.description) == ("Echo", "Give the text back.")
    assert (echo.server, echo.server_name, echo.remote_name) == ("demo", "Demo tools", "echo")
    assert echo.input_schema["required"] == ["text"]
    assert toolbox.find("nothing") is None


async def test_a_warm_server_costs_no_round_trip(hub: Hub) -> None:
    with BareMCPServer([definition("ok")]) as server:
        await toolbox_of(hub, config(server.url))

        toolbox = await toolbox_of(hub, config(server.url))

        assert toolbox.find("ok")
        assert server.methods.count("tools/list") == 1


async def test_a_dead_server_is_one_sentence_and_its_neighbour_goes_on(
    hub: Hub, server: ScriptedMCPServer
) -> None:
    dead = config(f"http://127.0.0.1:{closed_port()}/mcp", slug="dead", wait_seconds=1)
    hub.configure([dead, config(server.url)])

    discovery = await hub.open_toolbox().discover()

    assert discovery.failures == [
        "The tools of Dead tools could not be had: the connection was refused."
    ]
    assert "echo" in {tool.name for tool in discovery.tools}


async def test_a_server_that_never_answers_holds_nobody_up(hub: Hub) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/mcp"
        hub.configure([config(url, wait_seconds=0.5)])
        began = time.monotonic()

        discovery = await hub.open_toolbox().discover()

        assert time.monotonic() - began < 2
        assert discovery.failures == [
            "The tools of Demo tools could not be had: it did not answer in time."
        ]


async def test_a_broken_definition_is_set_aside_alone(hub: Hub, heard: list[ServerHealth]) -> None:
    broken = [
        definition("text_schema", inputSchema="nothing"),
        definition("string_schema", inputSchema={"type": "string"}),
        definition(
            "no_such_type", inputSchema={"type": "object", "properties": {"a": {"type": 7}}}
        ),
        definition("huge_schema", inputSchema={"type": "object", "description": "x" * 70_000}),
        {"name": "no_schema"},
        {"description": "no name", "inputSchema": {"type": "object"}},
        "not even an object",
    ]
    with BareMCPServer([definition("ok"), *broken, definition("also_ok")]) as server:
        toolbox = await toolbox_of(hub, config(server.url))

        discovery = await toolbox.discover()
        assert [tool.name for tool in discovery.tools] == ["ok", "also_ok"]
        assert (await call(toolbox, "ok")).text == "fine"
    assert heard[-1].state == "ready"
    assert heard[-1].reason.startswith("Set aside, because their definitions are broken: ")
    for name in ("text_schema", "no_such_type", "huge_schema", "a tool without a name"):
        assert name in heard[-1].reason


async def test_a_tool_that_a_server_adds_is_there_for_the_next_run(
    hub: Hub, server: ScriptedMCPServer, heard: list[ServerHealth]
) -> None:
    toolbox = await toolbox_of(hub, config(server.url))

    await call(toolbox, "grow")

    await eventually(lambda: "late" in heard[-1].catalog.fingerprints, "the new tool is known")
    later = await toolbox_of(hub, config(server.url))
    assert (await call(later, "late", text="here")).text == "here"
    assert toolbox.find("late") is None


async def test_a_run_may_be_given_some_servers_only(hub: Hub) -> None:
    with ScriptedMCPServer() as one, ScriptedMCPServer() as two:
        hub.configure([config(one.url, slug="one"), config(two.url, slug="two")])

        discovery = await hub.open_toolbox({"two"}).discover()

    assert {tool.server for tool in discovery.tools} == {"two"}


async def test_the_hub_tells_what_it_sees_of_a_server(
    hub: Hub, server: ScriptedMCPServer, era: Era, heard: list[ServerHealth]
) -> None:
    await toolbox_of(hub, config(server.url))

    assert [health.state for health in heard] == ["connecting", "ready"]
    assert hub.health() == [heard[-1]]
    assert heard[-1].protocol_version == era
    assert "echo" in heard[-1].catalog.fingerprints


async def test_configuring_the_same_again_keeps_the_connection(
    hub: Hub, server: ScriptedMCPServer, heard: list[ServerHealth]
) -> None:
    await toolbox_of(hub, config(server.url))
    said = len(heard)

    hub.configure([config(server.url)])

    assert hub.health()[0].state == "ready"
    assert len(heard) == said


async def test_a_server_that_moved_is_used_at_its_new_address(
    hub: Hub, server: ScriptedMCPServer, heard: list[ServerHealth]
) -> None:
    with ScriptedMCPServer() as elsewhere:
        await toolbox_of(hub, config(server.url))

        toolbox = await toolbox_of(hub, config(elsewhere.url))

        await call(toolbox, "echo", text="moved")
        assert elsewhere.calls == [("echo", {"text": "moved"})]
        # The old connection ends later than the new one begins, and says nothing any more.
        await eventually(lambda: owners() == 1, "the old connection has ended")
        states = [health.state for health in heard]
        assert states == ["connecting", "ready", "unknown", "connecting", "ready"]
    hub.configure([])
    assert heard[-1] == ServerHealth(slug="demo", state="unknown")
    assert hub.health() == []


def owners() -> int:
    return sum(task.get_name() == "mcp demo" for task in asyncio.all_tasks())


async def test_refused_credentials_are_named(hub: Hub) -> None:
    with BareMCPServer() as server:
        server.status = 401
        hub.configure([config(server.url, wait_seconds=1)])

        discovery = await hub.open_toolbox().discover()

    assert discovery.failures == [
        "The tools of Demo tools could not be had: it refused our credentials (401)."
    ]


async def test_a_flood_of_announcements_is_answered_with_few_lists(
    hub: Hub, server: ScriptedMCPServer, heard: list[ServerHealth]
) -> None:
    toolbox = await toolbox_of(hub, config(server.url))

    await call(toolbox, "flood", times=300)
    await call(toolbox, "grow")

    await eventually(
        lambda: "late" in heard[-1].catalog.fingerprints, "the last announcement is heard"
    )
    assert server.lists < 10


async def test_all_pages_are_listed_and_as_many_offered_as_a_model_takes(hub: Hub) -> None:
    with BareMCPServer([definition(f"tool-{number}") for number in range(200)]) as server:
        server.page_size = 30
        hub.configure([config(server.url)])

        discovery = await hub.open_toolbox().discover()

        assert server.methods.count("tools/list") == 7
        assert len(hub.health()[0].catalog.definitions) == 200
        assert [tool.name for tool in discovery.tools] == [f"tool-{n}" for n in range(MAX_TOOLS)]
        assert discovery.failures == ["72 tools are left out: 128 are as many as fit."]


async def test_a_list_without_end_is_given_up(hub: Hub, heard: list[ServerHealth]) -> None:
    with BareMCPServer([definition(f"tool-{number}") for number in range(60)]) as server:
        server.page_size = 1
        hub.configure([config(server.url, wait_seconds=3)])

        discovery = await hub.open_toolbox().discover()

    assert "does not end" in discovery.failures[0]


async def test_neither_sampling_nor_roots_are_declared(hub: Hub) -> None:
    with BareMCPServer([definition("ok")]) as server:
        await toolbox_of(hub, config(server.url))

        assert set(server.capabilities) == {"elicitation"}


async def test_an_output_schema_that_takes_for_ever_is_not_tried(hub: Hub) -> None:
    evil = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}
    fetched = {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:9/x"}}}
    definitions = [definition("liar", outputSchema=evil), definition("ok", outputSchema=fetched)]
    with BareMCPServer(definitions) as server:
        toolbox = await toolbox_of(hub, config(server.url))
        began = time.monotonic()

        result = await call(toolbox, "liar", structured={"a": "a" * 40 + "!"})

        assert result.text == "see"
        assert time.monotonic() - began < 6
        assert (await call(toolbox, "ok")).text == "fine"


async def test_what_cannot_be_stored_is_set_aside_alone(hub: Hub) -> None:
    definitions = [definition("nul", description="a\x00b"), definition("ok"), {"name": "ok"}]
    with BareMCPServer(definitions) as server:
        toolbox = await toolbox_of(hub, config(server.url))

        assert [tool.name for tool in (await toolbox.discover()).tools] == ["ok"]
        assert list(hub.health()[0].catalog.set_aside) == ["nul"]
