"""The Python face: MCPClient."""

import pytest

from chat.errors import ServerUnavailable
from chat.mcp.client import MCPClient
from tests.servers.bare_mcp_server import BareMCPServer
from tests.servers.mcp_server import ScriptedMCPServer, closed_port


async def test_a_client_lists_and_calls(server: ScriptedMCPServer) -> None:
    client = MCPClient(server.url)
    await client.initialize()

    echo = next(tool for tool in await client.list_tools() if tool.name == "echo")
    result = await client.call_tool("echo", {"text": "hello"})
    failed = await client.call_tool("fail", {"text": "no"})
    await client.aclose()

    definition = echo.to_tool_definition()
    assert definition["type"] == "function"
    assert definition["function"]["name"] == "echo"
    assert definition["function"]["parameters"]["properties"]["text"]["type"] == "string"
    assert (result.text, result.is_error) == ("hello", False)
    assert failed.is_error


async def test_a_tool_is_called_by_the_name_it_is_listed_under() -> None:
    with BareMCPServer([{"name": "read.file", "inputSchema": {"type": "object"}}]) as server:
        async with MCPClient(server.url) as client:
            (tool,) = await client.list_tools()
            await client.call_tool(tool.name)

        assert (tool.name, server.calls) == ("read_file", ["read.file"])


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    client = MCPClient(f"http://127.0.0.1:{closed_port()}/mcp")

    with pytest.raises(ServerUnavailable, match="the connection was refused"):
        await client.initialize()

    await client.aclose()


async def test_headers_reach_the_server() -> None:
    with BareMCPServer() as server:
        async with MCPClient(server.url, headers={"Authorization": "Bearer sesame"}):
            pass

    assert {headers.get("authorization") for headers in server.headers} == {"Bearer sesame"}
