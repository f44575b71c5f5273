"""A scripted OpenAI-compatible model on a socket. The question itself says what is answered.

Directives in the last user message, in order:

    [[text Hello world]]        streams the words
    [[tokens 200 delay 10]]     t1 t2 …, one every 10 ms
    [[call NAME {"a": 1}]]      asks for a tool; several in a row are parallel
    [[then]]                    what follows is the next step, after the results
    [[loop NAME {"a": 1}]]      asks for the tool in every step
    [[raw-arguments NAME text]] arguments as they are, valid or not
    [[call-as "c\\u0000" NAME {}]] a call under this id, which is JSON
    [[reason text]]  [[usage 12 34 0.05]]  [[finish length]]
    [[error message]]           an error object in the stream
    [[status 429 retry-after 1]] an HTTP error          [[cut]]  the connection ends
    [[stall]]                   silence until the client leaves
    [[finished-stall stop]]     the same, behind how the answer ended
    [[body text/html <html>]]   a 200 with that body
    [[title Of boats]]          what is answered when a title is asked for; as are [[title-stall]],
                                [[title-status 500]] and so on

Without any: "You said: …". A history in which calls and results do not match is answered 400.
"""

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

# As in chat/runs/titles.py, which needs Django; a test holds them together.
TITLE_PROMPT = "You give conversations their titles."
DIRECTIVE = re.compile(r"\[\[([a-z-]+)(?: ((?:[^\]]|\](?!\]))*))?\]\]")
STEP_SECONDS = 0.002
# Directives whose methods are not named like them.
METHODS = {
    "raw-arguments": "raw_arguments",
    "call-as": "call_as",
    "usage": "set_usage",
    "finish": "set_finish",
    "finished-stall": "finished_stall",
}


class Hung(Exception):
    """The script ends the connection here."""


class ScriptedModelServer:
    """`requests` holds (headers, body) of each request; `aborted` when clients hung up.

    A question in `scripts` is answered as its value says, so that people would ask it.
    """

    def __init__(self) -> None:
        self.scripts: dict[str, str] = {}
        self.requests: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.aborted: list[float] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._connections: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 24))
        port = self._server.sockets[0].getsockname()[1]
        self.base_url = f"http://127.0.0.1:{port}/v1"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def wait_for(self, condition: Callable[[], Any], timeout: float = 15) -> None:
        """Until the condition holds; fails after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"not within {timeout} s"
            time.sleep(0.01)

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _close(self) -> None:
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        try:
            while await self._one(reader, writer):
                pass
        except (Hung, ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])
        }
        body = json.loads(
            await reader.readexactly(int(headers.get("content-length", "0"))) or b"{}"
        )
        self.requests.append((headers, body))
        if problem := mismatch(body["messages"]):
            await plain(writer, "400 Bad Request", json.dumps({"error": {"message": problem}}))
            return True
        script = Script(writer, body, self.scripts)
        # A client that hangs up is noticed while the script still speaks.
        gone = asyncio.ensure_future(reader.read(1))
        speaking = asyncio.ensure_future(script.play())
        await asyncio.wait({gone, speaking}, return_when=asyncio.FIRST_COMPLETED)
        for task in (gone, speaking):
            task.cancel()
        _, said = await asyncio.gather(gone, speaking, return_exceptions=True)
        # Whichever of the two noticed it first.
        if isinstance(said, ConnectionError | asyncio.CancelledError):
            self.aborted.append(time.monotonic())
        elif said:
            raise said
        raise Hung


def mismatch(messages: list[dict[str, Any]]) -> str:
    """What real APIs refuse: a call without its one result, or a result without its call."""
    open_calls: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_calls:
                return f"tool message without its call: {message['tool_call_id']}"
            open_calls.remove(message["tool_call_id"])
            continue
        if open_calls:
            return f"tool calls without a result: {open_calls}"
        open_calls = [call["id"] for call in message.get("tool_calls", [])]
    return f"tool calls without a result: {open_calls}" if open_calls else ""


async def plain(writer: asyncio.StreamWriter, status: str, body: str, more: str = "") -> None:
    data = body.encode()
    kind = "" if "content-type" in more.lower() else "Content-Type: application/json\r\n"
    head = f"HTTP/1.1 {status}\r\n{kind}{more}Content-Length: {len(data)}\r\n\r\n"
    writer.write(head.encode() + data)
    await writer.drain()


def is_for_title(body: dict[str, Any]) -> bool:
    """Whether this request asks for a conversation's title."""
    return str(body["messages"][0]["content"]).startswith(TITLE_PROMPT)


def directives(text: str, *, is_title: bool) -> list[tuple[str, str]]:
    """Those for an answer, or those for a title, as (name, argument)."""
    found = DIRECTIVE.findall(text)
    if not is_title:
        return [(name, argument) for name, argument in found if not name.startswith("title")]
    titles = [(name, argument) for name, argument in found if name.startswith("title")]
    return [(name.removeprefix("title").strip("-") or "text", it) for name, it in titles]


class Script:
    """Plays the directives of one step."""

    def __init__(
        self, writer: asyncio.StreamWriter, body: dict[str, Any], scripts: dict[str, str]
    ) -> None:
        self.writer = writer
        question = max(i for i, m in enumerate(body["messages"]) if m["role"] == "user")
        steps_done = sum(bool(m.get("tool_calls")) for m in body["messages"][question:])
        text = scripts.get(asked := body["messages"][question]["content"], asked)
        found = directives(text, is_title=is_for_title(body))
        steps: list[list[tuple[str, str]]] = [[]]
        for name, argument in found:
            if name == "then":
                steps.append([])
            else:
                steps[-1].append((name, argument))
        loop = [step for step in found if step[0] == "loop"]
        default = [] if found else [("text", f"You said: {text}")]
        self.directives = loop or (steps[min(steps_done, len(steps) - 1)] or default)
        self.is_begun = False
        self.calls = 0
        self.finish = "stop"
        self.usage: dict[str, float] | None = None

    async def play(self) -> None:
        for name, argument in self.directives:
            if name in {"status", "body"}:
                await getattr(self, name)(argument)
                return
            await getattr(self, METHODS.get(name, name))(argument)
        if self.calls and self.finish == "stop":
            self.finish = "tool_calls"
        await self.chunk({}, self.finish)
        if self.usage:
            await self.data({"choices": [], "usage": self.usage})
        await self.send(b"data: [DONE]\n\n")
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    async def text(self, argument: str) -> None:
        for word in re.findall(r"\S+\s*", argument):
            await self.chunk({"content": word})
            await asyncio.sleep(STEP_SECONDS)

    async def tokens(self, argument: str) -> None:
        count, _, delay = argument.partition(" delay ")
        due = time.monotonic()
        for number in range(1, int(count) + 1):
            await self.chunk({"content": f"t{number} "})
            due += float(delay or 5) / 1000
            await asyncio.sleep(max(0, due - time.monotonic()))

    async def reason(self, argument: str) -> None:
        for word in re.findall(r"\S+\s*", argument):
            await self.chunk({"reasoning_content": word})

    async def call(self, argument: str) -> None:
        name, _, arguments = argument.partition(" ")
        await self.raw_arguments(f"{name} {arguments or '{}'}")

    loop = call

    async def raw_arguments(self, argument: str) -> None:
        await self.called(f"call_{time.monotonic_ns():x}_{self.calls}", argument)

    async def call_as(self, argument: str) -> None:
        """Under an id of its own, in JSON."""
        call_id, end = json.JSONDecoder().raw_decode(argument)
        await self.called(call_id, argument[end:].strip())

    async def called(self, call_id: str, argument: str) -> None:
        name, _, text = argument.partition(" ")
        index, self.calls = self.calls, self.calls + 1
        first = {"name": name, "arguments": ""}
        await self.fragment({"index": index, "id": call_id, "type": "function", "function": first})
        for at in range(0, len(text), 7):
            await self.fragment({"index": index, "function": {"arguments": text[at : at + 7]}})

    async def fragment(self, fragment: dict[str, Any]) -> None:
        await self.chunk({"tool_calls": [fragment]})

    async def set_usage(self, argument: str) -> None:
        asked, answered, *cost = argument.split()
        self.usage = {"prompt_tokens": int(asked), "completion_tokens": int(answered)}
        if cost:
            self.usage["cost"] = float(cost[0])

    async def set_finish(self, argument: str) -> None:
        self.finish = argument

    async def error(self, argument: str) -> None:
        await self.data({"error": {"message": argument, "code": 502}})

    async def cut(self, argument: str) -> None:
        await self.begin()
        raise Hung

    async def stall(self, argument: str) -> None:
        await self.begin()
        await asyncio.sleep(3600)

    async def finished_stall(self, argument: str) -> None:
        await self.chunk({}, argument)
        await self.stall("")

    async def status(self, argument: str) -> None:
        code, _, rest = argument.partition(" ")
        name, _, value = rest.partition(" ")
        more = f"{name}: {value}\r\n" if name else ""
        error = {"error": {"message": f"scripted {code}", "code": int(code)}}
        await plain(self.writer, f"{code} Scripted", json.dumps(error), more)

    async def body(self, argument: str) -> None:
        kind, _, body = argument.partition(" ")
        await plain(self.writer, "200 OK", body, f"Content-Type: {kind}\r\n")

    async def begin(self) -> None:
        if not self.is_begun:
            self.is_begun = True
            self.writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n"
            )
            await self.writer.drain()

    async def chunk(self, delta: dict[str, Any], finish: str | None = None) -> None:
        await self.data({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    async def data(self, value: dict[str, Any]) -> None:
        await self.send(f"data: {json.dumps(value)}\n\n".encode())

    async def send(self, data: bytes) -> None:
        await self.begin()
        self.writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self.writer.drain()
