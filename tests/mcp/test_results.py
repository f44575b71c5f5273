"""Every kind of content as text."""

import base64

import pytest
from mcp import types

from chat.mcp.hub import Hub
from chat.mcp.results import MAX_RESULT_CHARACTERS, to_result
from tests.mcp.steps import call, config, toolbox_of
from tests.servers.mcp_server import ScriptedMCPServer

PICTURE = base64.b64encode(b"\x89PNG" + bytes(12_341)).decode()


def text(value: str) -> types.TextContent:
    return types.TextContent(type="text", text=value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([text("one"), text("two")], "one\n\ntwo"),
        (
            [types.ImageContent(type="image", data=PICTURE, mime_type="image/png")],
            "[image image/png, 12,345 bytes]",
        ),
        (
            [types.AudioContent(type="audio", data=PICTURE, mime_type="audio/wav")],
            "[audio audio/wav, 12,345 bytes]",
        ),
        (
            [types.ResourceLink(type="resource_link", name="notes", uri="file:///notes.txt")],
            "[resource notes: file:///notes.txt]",
        ),
        (
            [
                types.EmbeddedResource(
                    type="resource",
                    resource=types.TextResourceContents(uri="file:///a.txt", text="inside"),
                )
            ],
            "inside",
        ),
        (
            [
                types.EmbeddedResource(
                    type="resource",
                    resource=types.BlobResourceContents(uri="file:///a.bin", blob="AAAA"),
                )
            ],
            "[resource file:///a.bin]",
        ),
        ([text("a\x00b\ud800c")], "a\ufffdb\ufffdc"),
        ([], ""),
    ],
    ids=["text", "image", "audio", "link", "embedded-text", "embedded-blob", "unstorable", "empty"],
)
def test_content_becomes_text(content: list[types.ContentBlock], expected: str) -> None:
    assert to_result(types.CallToolResult(content=content)).text == expected


def test_structured_content_is_shown_where_there_is_no_text() -> None:
    result = to_result(types.CallToolResult(content=[], structured_content={"stadt": "Köln"}))

    assert result.text == '{\n  "stadt": "Köln"\n}'
    assert result.structured == {"stadt": "Köln"}


async def test_a_long_result_is_cut_and_says_so(hub: Hub) -> None:
    with ScriptedMCPServer() as server:
        toolbox = await toolbox_of(hub, config(server.url))

        whole = await call(toolbox, "big", size=MAX_RESULT_CHARACTERS)
        cut = await call(toolbox, "big", size=MAX_RESULT_CHARACTERS + 1)

    assert whole.text == "x" * MAX_RESULT_CHARACTERS
    assert cut.text.startswith("x" * MAX_RESULT_CHARACTERS + "\n\n[Cut off here")
    assert "200,001 characters" in cut.text
