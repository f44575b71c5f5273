"""Connections that belong to one person, and those that nobody is let into."""

from dataclasses import dataclass

from chat.mcp.health import ServerHealth
from chat.mcp.hub import Hub
from chat.mcp.oauth.errors import Unauthorised
from tests.mcp.steps import call, config, eventually
from tests.servers.bare_mcp_server import BareMCPServer

TOOLS = [{"name": "ok", "inputSchema": {"type": "object"}}]


@dataclass(frozen=True)
class Given:
    """An access token that never changes; "": none."""

    token: str

    async def current(self) -> str:
        if not self.token:
            raise Unauthorised("ask for it first")
        return self.token

    async def renewed(self, rejected: str) -> str:
        raise Unauthorised(f"{rejected} is no good")


async def test_a_personal_connection_is_given_to_its_person_only(hub: Hub) -> None:
    alice, bob = Given("alice"), Given("bob")
    with BareMCPServer(TOOLS) as server:
        configs = [config(server.url, tokens=tokens, is_personal=True) for tokens in (alice, bob)]
        for one in configs:
            hub.configure([one])

        nobodys = await hub.open_toolbox().discover()
        toolbox = hub.open_toolbox({"demo"}, personal={bob})
        bobs = await toolbox.discover()
        await call(toolbox, "ok")

    assert (nobodys.tools, nobodys.failures) == ([], [])
    assert [tool.name for tool in bobs.tools] == ["ok"]
    assert {headers["authorization"] for headers in server.headers} == {"Bearer bob"}


async def test_a_personal_connection_ends_when_nobody_has_used_it_for_a_while() -> None:
    alice = Given("alice")
    hub = Hub(idle_seconds=0.3)
    with BareMCPServer(TOOLS) as server:
        hub.configure([config(server.url, tokens=alice, is_personal=True)])
        toolbox = hub.open_toolbox(personal={alice})
        await toolbox.discover()
        # Other people's runs neither end it nor keep it.
        hub.configure([config(server.url, slug="other")])
        await hub.open_toolbox({"other"}).discover()
        waiting = Hub(idle_seconds=0.3)
        waiting.configure([config(server.url, tokens=alice, is_personal=True)])
        await eventually(lambda: not waiting.health(), "an unused one ends in that time")
        assert (await call(toolbox, "ok")).text == "fine", "a run that still has it keeps it"

        del toolbox

        await eventually(lambda: len(hub.health()) == 1, "it is closed")
        assert hub.health()[0].slug == "other"
        await hub.aclose()
        await waiting.aclose()


async def test_what_one_person_lacks_is_not_the_state_of_the_server(
    hub: Hub, heard: list[ServerHealth]
) -> None:
    nobody, alice = Given(""), Given("alice")
    with BareMCPServer(TOOLS) as server:
        hub.configure([config(server.url, tokens=nobody, is_personal=True)])
        refused = await hub.open_toolbox(personal={nobody}).discover()
        hub.configure([config(server.url, tokens=alice, is_personal=True)])
        await hub.open_toolbox(personal={alice}).discover()

    assert refused.failures == ["The tools of Demo tools could not be had: ask for it first."]
    assert {health.state for health in heard} <= {"ready", "down"}
    assert heard[0].state == "ready"


async def test_a_server_that_refuses_us_is_not_asked_again_and_again(
    hub: Hub, heard: list[ServerHealth]
) -> None:
    def attempts(slug: str) -> int:
        return sum((health.slug, health.state) == (slug, "connecting") for health in heard)

    with BareMCPServer() as refusing, BareMCPServer() as broken:
        refusing.status, broken.status = 401, 500
        hub.configure([config(refusing.url, slug="refusing"), config(broken.url, slug="broken")])
        await hub.open_toolbox().discover()

        await eventually(lambda: attempts("broken") >= 5, "the broken one is tried again", 10)

    # Once more for the run that asked for it, and that is all.
    assert attempts("refusing") <= 2
    assert {health.slug: health.state for health in hub.health()}["refusing"] == "unauthorised"


async def test_a_token_that_is_refused_while_in_use_is_a_state_too(hub: Hub) -> None:
    alice = Given("alice")
    with BareMCPServer(TOOLS) as server:
        hub.configure([config(server.url, tokens=alice, heartbeat_seconds=0.1)])
        await hub.open_toolbox().discover()

        server.status = 401

        await eventually(lambda: hub.health()[0].state == "unauthorised", "it is noticed")
        assert hub.health()[0].reason == "alice is no good"
