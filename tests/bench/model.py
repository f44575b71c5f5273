"""The scripted model: an OpenAI-compatible API whose tokens carry number and time of writing.

python -m tests.bench.model prints its address. The question scripts the answer, see Shape. Times
are CLOCK_MONOTONIC, which all processes of a machine share.
"""

import asyncio
import itertools
import json
import re
import time
from typing import Any

ANSWERS = itertools.count(1)
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
SCRIPT = re.compile(r"tokens=(\d+) delay=(\d+) calls=(\d+)")


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection, kept for any number of requests."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            size = int(head.partition("content-length: ")[2].partition("\r\n")[0])
            await answer(json.loads(await reader.readexactly(size)), writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def answer(body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
    questions = (m["content"] for m in reversed(body["messages"]) if m["role"] == "user")
    found = SCRIPT.search(next(questions))
    assert found
    tokens, delay, calls = map(int, found.groups())
    number = next(ANSWERS)
    writer.write(HEAD)
    if calls and body.get("tools") and body["messages"][-1]["role"] != "tool":
        send(writer, number, {"tool_calls": [call(body["tools"][0], number)]})
        send(writer, number, {}, "tool_calls")
    else:
        await speak(writer, number, tokens, delay / 1000)
        send(writer, number, {}, "stop")
    chunk(writer, b"data: [DONE]\n\n")
    chunk(writer, b"")
    await writer.drain()


async def speak(writer: asyncio.StreamWriter, number: int, tokens: int, delay: float) -> None:
    """By the clock: a token that is late does not make the next one late."""
    due = time.monotonic()
    for token in range(1, tokens + 1):
        send(writer, number, {"content": f"<{number} {token} {time.monotonic_ns()}> "})
        await writer.drain()
        due += delay
        if delay:
            await asyncio.sleep(max(0, due - time.monotonic()))


def call(tool: dict[str, Any], number: int) -> dict[str, Any]:
    function = {"name": tool["function"]["name"], "arguments": "{}"}
    return {"index": 0, "id": f"call_{number}", "type": "function", "function": function}


def send(
    writer: asyncio.StreamWriter, number: int, delta: dict[str, Any], finish: str | None = None
) -> None:
    """One chunk, with all that real APIs send along."""
    value = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "bench",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    chunk(writer, f"data: {json.dumps(value)}\n\n".encode())


def chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 24, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
