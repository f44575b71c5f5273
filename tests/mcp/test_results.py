"""Every kind of content, as text for the model and as files for people."""

import asyncio
import base64
import json
from typing import Any

import pytest
from mcp import types

from chat.errors import ToolError, ToolLost
from chat.mcp.hub import Hub
from chat.mcp.media import SHOWN_TYPES, shown_type
from chat.mcp.results import MAX_FILE_BYTES, MAX_FILES, to_result
from chat.tools import ToolFile
from tests.mcp.steps import call, config, toolbox_of
from tests.servers.bare_mcp_server import BareMCPServer
from tests.servers.mcp_server import ScriptedMCPServer
from tests.servers.media import png, wav

PICTURE = png(2, 2)
# The beginnings of real files of each type that is shown.
BEGINNINGS = {
    "image/png": PICTURE,
    "image/jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "image/gif": b"GIF89a\x01\x00",
    "image/webp": b"RIFF\x24\x00\x00\x00WEBPVP8 ",
    "audio/mpeg": b"\xff\xfb\x90\x64",
    "audio/wav": wav(),
    "audio/ogg": b"OggS\x00\x02",
    "audio/webm": b"\x1aE\xdf\xa3\x9f",
    "audio/mp4": b"\x00\x00\x00\x20ftypM4A ",
}


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def text(value: str) -> types.TextContent:
    return types.TextContent(type="text", text=value)


def image(data: str, mime_type: str = "image/png") -> types.ImageContent:
    return types.ImageContent(type="image", data=data, mime_type=mime_type)


def sound(data: bytes, mime_type: str) -> types.AudioContent:
    return types.AudioContent(type="audio", data=encoded(data), mime_type=mime_type)


def blob(data: bytes, uri: str, mime_type: str | None = None) -> types.EmbeddedResource:
    inner = types.BlobResourceContents(uri=uri, blob=encoded(data), mime_type=mime_type)
    return types.EmbeddedResource(type="resource", resource=inner)


def note(uri: str, inside: str) -> types.EmbeddedResource:
    inner = types.TextResourceContents(uri=uri, text=inside)
    return types.EmbeddedResource(type="resource", resource=inner)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([text("one"), text("two")], "one\n\ntwo"),
        ([image(encoded(PICTURE))], f"[image image/png, {len(PICTURE)} bytes]"),
        ([image(encoded(b"<svg/>"), "image/svg+xml")], "[image image/svg+xml, 6 bytes: not shown]"),
        ([image(encoded(b"<script>"))], "[image image/png, 8 bytes: not shown]"),
        ([image("no!")], "[image image/png: not shown, it is not valid base64]"),
        ([sound(wav(), "audio/wav")], f"[audio audio/wav, {len(wav()):,} bytes]"),
        (
            [types.ResourceLink(type="resource_link", name="notes", uri="file:///notes.txt")],
            "[resource notes: file:///notes.txt]",
        ),
        ([note("file:///a.txt", "inside")], "[resource file:///a.txt]\ninside"),
        ([blob(b"abc", "file:///a.bin")], "[resource file:///a.bin, 3 bytes]"),
        ([text("a\x00b\ud800c")], "a\ufffdb\ufffdc"),
        ([], ""),
    ],
    ids=[
        *("text", "image", "other-type", "other-bytes", "no-base64", "audio", "link"),
        *("embedded-text", "embedded-blob", "unstorable", "empty"),
    ],
)
def test_content_becomes_text(content: list[types.ContentBlock], expected: str) -> None:
    assert to_result(types.CallToolResult(content=content)).text == expected


def files_of(*content: types.ContentBlock) -> list[ToolFile]:
    return list(to_result(types.CallToolResult(content=list(content))).files)


def test_images_sounds_and_blobs_become_files() -> None:
    files = files_of(
        text("Here:"),
        image(encoded(PICTURE)),
        sound(wav(), "audio/x-wav"),
        blob(b"%PDF-1.7", "file:///reports/May%202026.pdf", "application/pdf"),
        blob(PICTURE, "file:///x/chart.png", "image/png"),
    )

    assert [(file.name, file.mime_type) for file in files] == [
        ("image-1.png", "image/png"),
        ("audio-2.wav", "audio/wav"),
        ("May 2026.pdf", "application/octet-stream"),
        ("chart.png", "image/png"),
    ]
    assert [file.data for file in files] == [PICTURE, wav(), b"%PDF-1.7", PICTURE]


def test_what_is_not_what_it_says_is_no_file_that_is_shown() -> None:
    page = b"<html><script>alert(1)</script>"

    assert files_of(image(encoded(page)), image("%%%"), image(encoded(page), "text/html")) == []
    assert [file.mime_type for file in files_of(blob(page, "file:///x.png", "image/png"))] == [
        "application/octet-stream"
    ]


@pytest.mark.parametrize("mime_type", sorted(SHOWN_TYPES))
def test_a_type_is_shown_for_its_own_bytes_only(mime_type: str) -> None:
    fitting = {name for name, data in BEGINNINGS.items() if shown_type(mime_type, data)}

    assert fitting == {mime_type}
    assert shown_type(f" {mime_type.upper()}; codecs=x", BEGINNINGS[mime_type]) == mime_type


def test_file_names_are_plain_text_without_folders() -> None:
    uris = ["file:///a/../../etc/passwd", "file:///b%2F..%2Fc%0D%0Ax", "http://[", "x:%E2%80%AEgpj"]

    assert [file.name for file in files_of(*(blob(b"x", uri) for uri in uris))] == [
        *("passwd", "c x", "file", "gpj")
    ]


def test_there_are_as_many_files_as_fit_and_none_is_too_large() -> None:
    many = to_result(types.CallToolResult(content=[image(encoded(PICTURE))] * (MAX_FILES + 1)))
    large = to_result(
        types.CallToolResult(content=[blob(bytes(MAX_FILE_BYTES + 1), "file:///large.bin")])
    )

    assert len(many.files) == MAX_FILES
    assert many.text.endswith("left out, 16 files are as many as fit]")
    assert not large.files
    assert large.text == "[resource file:///large.bin, 8,388,609 bytes: left out, it is too large]"


def test_structured_content_is_the_text_where_there_is_no_other() -> None:
    result = to_result(types.CallToolResult(content=[], structured_content={"stadt": "Köln"}))

    assert result.text == '{\n  "stadt": "Köln"\n}'
    assert result.structured == {"stadt": "Köln"}
    assert not result.files


@pytest.mark.parametrize(
    ("said", "structured"),
    [
        (['{"a": 1}'], {"a": 1}),
        (["Hello"], {"result": "Hello"}),
        (["5"], {"result": 5}),
        (["one", "two"], {"result": ["one", "two"]}),
        (["[1, 2]"], [1, 2]),
    ],
)
def test_structured_content_that_says_the_same_is_not_kept_twice(
    said: list[str], structured: Any
) -> None:
    content: list[types.ContentBlock] = [text(line) for line in said]

    result = to_result(types.CallToolResult(content=content, structured_content=structured))

    assert result.text == "\n\n".join(said)
    assert not result.files


def test_structured_content_that_says_more_is_a_file_beside_the_text() -> None:
    result = to_result(
        types.CallToolResult(content=[text("Mild")], structured_content={"celsius": 12})
    )

    (file,) = result.files
    assert result.text == "Mild"
    assert (file.name, file.mime_type) == ("data.json", "application/json")
    assert json.loads(file.data) == {"celsius": 12}


async def test_rich_content_comes_through_a_real_server(
    hub: Hub, server: ScriptedMCPServer
) -> None:
    toolbox = await toolbox_of(hub, config(server.url))

    drawn = await call(toolbox, "picture", width=3, height=2)
    heard = await call(toolbox, "sound")

    assert [(file.mime_type, file.data) for file in drawn.files] == [("image/png", png(3, 2))]
    assert [(file.mime_type, file.data) for file in heard.files] == [("audio/wav", wav())]


async def test_a_result_that_breaks_its_own_schema_is_an_error_for_that_call(hub: Hub) -> None:
    schema = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"]}
    liar = {"name": "liar", "inputSchema": {"type": "object"}, "outputSchema": schema}
    ok = {"name": "ok", "inputSchema": {"type": "object"}}
    with BareMCPServer([liar, ok]) as server:
        toolbox = await toolbox_of(hub, config(server.url))

        with pytest.raises(ToolError, match="could not be read") as failure:
            await call(toolbox, "liar", structured={"sum": "five"})

        assert not isinstance(failure.value, ToolLost)
        assert (await call(toolbox, "liar", structured={"sum": 5})).structured == {"sum": 5}
        assert (await call(toolbox, "ok")).text == "fine"


def deep(levels: int) -> Any:
    return {"a": deep(levels - 1)} if levels else 1


PATTERN = {"a": {"type": "string", "pattern": "^(a+)+$"}}
ITSELF = {"a": {"allOf": [{"$recursiveRef": "#"}] * 2}}
DRAFT = {"$schema": "https://json-schema.org/draft/2019-09/schema"}


@pytest.mark.parametrize(
    ("page", "schema", "structured"),
    [
        # As a result of a call would be, in which definitions are not looked at.
        ({"content": []}, {"properties": PATTERN}, {"a": "a" * 40 + "!"}),
        ({}, {**DRAFT, "properties": ITSELF}, deep(40)),
        ({}, {"properties": {"a": {"uniqueItems": True}}}, {"a": [{"n": n} for n in range(4000)]}),
        ({}, {"properties": {"a": {"type": "array"}}}, {"a": [{"n": n} for n in range(90_000)]}),
    ],
    ids=["pattern", "itself", "unique", "large"],
)
async def test_no_schema_of_a_result_holds_anybody_up(
    hub: Hub, page: Any, schema: Any, structured: Any
) -> None:
    schema = {"type": "object", **schema}
    liar = {"name": "liar", "inputSchema": {"type": "object"}, "outputSchema": schema}
    with BareMCPServer([liar]) as server:
        server.listed_with = page
        toolbox = await toolbox_of(hub, config(server.url))
        async with asyncio.timeout(20):
            assert (await call(toolbox, "liar", structured=structured)).text == "see"


async def test_what_is_wrong_with_a_result_is_told_in_a_line(hub: Hub) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}}}}
    liar = {"name": "liar", "inputSchema": {"type": "object"}, "outputSchema": schema}
    with BareMCPServer([liar]) as server:
        toolbox = await toolbox_of(hub, config(server.url))

        with pytest.raises(ToolError, match=r"\$\.a\[1\] is not what") as failure:
            await call(toolbox, "liar", structured={"a": ["x" * 1000, {"y": "z" * 1000}]})

    assert len(str(failure.value)) < 200
