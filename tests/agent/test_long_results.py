"""Long results outside of a run: nobody keeps the whole, and the text says so."""

from chat.events import Kind
from chat.mcp.config import ServerConfig
from chat.runs.assembly import AgentConfig, create_agent
from chat.text import cut
from chat.tools import MAX_RESULT_BYTES
from chat.transcript import MAX_TOOL_BYTES
from tests.servers.mcp_server import ScriptedMCPServer
from tests.servers.model_server import ScriptedModelServer


async def test_a_long_result_is_cut_and_says_how_much_is_missing(
    model_server: ScriptedModelServer, mcp_server: ScriptedMCPServer
) -> None:
    tools = ServerConfig(slug="tools", name="Tools", url=mcp_server.url, may_be_private=True)
    config = AgentConfig(
        provider="openai", model_name="scripted", base_url=model_server.base_url, servers=[tools]
    )

    async with await create_agent(config) as agent:
        asked = '[[call big {"size": 2000000}]][[then]][[text Done.]]'
        events = [event async for event in agent.stream_with_tools(asked)]

    (ended,) = [event.data for event in events if event.kind == Kind.TOOL_RESULT]
    told = model_server.requests[-1][1]["messages"][-1]["content"]
    for text, bound in ((ended["result"], MAX_RESULT_BYTES), (told, MAX_TOOL_BYTES)):
        kept, _, remark = text.partition("\n\n")
        assert len(text.encode()) <= bound
        assert remark == f"[… {2_000_000 - len(kept):,} bytes left out]"
    assert ended["bytes"] == 2_000_000
    assert "attachments" not in ended


def test_what_fits_stays_as_it_is_and_one_byte_more_does_not() -> None:
    text = "ü" * 500

    assert cut(text, 1000) == text
    assert cut(text, 999).startswith("ü" * 400)
    assert len(cut(text, 999).encode()) <= 999


def test_a_cut_never_splits_a_character() -> None:
    text = "a" + "🎉" * 300

    for bound in range(800, 810):
        kept = cut(text, bound).partition("\n\n")[0]
        assert text.startswith(kept)
        assert len(kept.encode()) > bound - 130
