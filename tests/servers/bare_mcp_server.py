"""An MCP server that speaks only what it must, so that it can say what no SDK would."""

import asyncio
import gzip
import json
import threading
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.servers.site import free_port
from tests.servers.threaded import Threaded

Json = dict[str, Any]


class BareMCPServer:
    """Lists exactly `definitions`. Calls: `ok` answers, `cut` breaks off, `gate` waits for
    `opened`, `huge` and `huge_event` answer with that many `megabytes`, `liar` with `structured`.
    `says` tells `first`, which is JSON, and answers once that was answered or needs no answer.
    `refuse` answers with the error in its arguments, `packed` with that many `megabytes` in few
    bytes, `garbled` with what cannot be unpacked. `stuck` begins an event stream and says no more,
    `mute` begins nothing; `left` counts those of them whose connection we have closed.

    With `session` set, it has sessions: what names another is answered as SDKs do. What is asked
    for with GET then ends at once, and may be asked for again at once.

    `capabilities` are those that the client has declared. With `page_size` it lists in pages.
    With its list it sends `listed_with`; with `refuses`, that error instead.

    With `status` set, every request is answered with that status and nothing else; while
    `is_frozen`, none is answered at all.
    """

    def __init__(self, definitions: Sequence[Any] = ()) -> None:
        self.definitions = list(definitions)
        self.status = 0
        self.is_frozen = False
        self.opened = threading.Event()
        self.first = ""
        self.answers: list[Json] = []
        self.calls: list[str] = []
        self.methods: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.page_size = 0
        self.listed_with: Json = {}
        self.capabilities: dict[str, Any] = {}
        self.session = ""
        self.refuses: Json = {}
        self.left = 0
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/mcp"
        app = Starlette(routes=[Route("/mcp", self._answer, methods=["GET", "POST", "DELETE"])])
        self._server = Threaded(app, port)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.opened.set()
        self.is_frozen = False
        self._server.stop()

    async def _answer(self, request: Request) -> Response:
        self.headers.append(dict(request.headers))
        while self.is_frozen:
            await asyncio.sleep(0.01)
        if self.status:
            return Response("no", status_code=self.status)
        if request.method != "POST":
            return self._news(request)
        message = await request.json()
        if self.session != request.headers.get("mcp-session-id", self.session):
            return _refused(message, {"code": -32001, "message": "Session not found"}, 404)
        if not {"id", "method"} <= message.keys():
            self._told(message)
            return Response(status_code=202)
        return await self._asked(message, request)

    async def _asked(self, message: Json, request: Request) -> Response:
        self.methods.append(message["method"])
        match message["method"]:
            case "initialize":
                self.capabilities = message["params"]["capabilities"]
                session = {"mcp-session-id": self.session} if self.session else {}
                return _result(message, _greeting(), session)
            case "tools/list":
                if self.refuses:
                    return _refused(message, self.refuses)
                return _result(message, self._page(message.get("params") or {}))
            case "tools/call":
                return await self._call(message, request)
            case _:
                return _refused(message, {"code": -32601, "message": "Method not found"})

    def _told(self, message: Json) -> None:
        """A notification, or the answer to what we have asked."""
        if "method" in message:
            self.methods.append(message["method"])
        else:
            self.answers.append(message)
            self.opened.set()

    def _page(self, params: Json) -> Json:
        """All definitions, or `page_size` of them from a cursor on."""
        if not self.page_size:
            return {"tools": self.definitions, **self.listed_with}
        start = int(params.get("cursor") or 0)
        end = start + self.page_size
        more = {"nextCursor": str(end)} if end < len(self.definitions) else {}
        return {"tools": self.definitions[start:end], **more}

    async def _call(self, message: Json, request: Request) -> Response:  # noqa: C901 (as many as ways)
        name = message["params"]["name"]
        self.calls.append(name)
        match name:
            case "cut":
                # It promises more than it gives: the connection breaks in the middle.
                return Response(
                    b"{", headers={"Content-Length": "100"}, media_type="application/json"
                )
            case "gate":
                while not self.opened.is_set():
                    await asyncio.sleep(0.01)
            case "says":
                token = json.dumps(message["params"].get("_meta", {}).get("progressToken"))
                first = self.first.replace("TOKEN", token)
                return StreamingResponse(self._said(message, first), media_type="text/event-stream")
            case "refuse":
                return _refused(message, message["params"]["arguments"]["error"])
            case "packed":
                size = message["params"]["arguments"]["megabytes"] << 20
                whole = JSONResponse({**_answer(message), "result": _text("x" * size)})
                return _packed(gzip.compress(bytes(whole.body)))
            case "garbled":
                return _packed(b"not packed at all")
            case "stuck":
                return StreamingResponse(self._stuck(request), media_type="text/event-stream")
            case "mute":
                await self._until_left(request)
            case "liar":
                structured = message["params"]["arguments"]["structured"]
                return _result(message, {**_text("see"), "structuredContent": structured})
            case "huge":
                size = message["params"]["arguments"]["megabytes"] << 20
                return _result(message, _text("x" * size))
            case "huge_event":
                size = message["params"]["arguments"]["megabytes"] << 20
                event = {"jsonrpc": "2.0", "id": message["id"], "result": _text("x" * size)}
                body = iter([f"event: message\ndata: {json.dumps(event)}\n\n"])
                return StreamingResponse(body, media_type="text/event-stream")
        return _result(message, _text("fine"))

    def _news(self, request: Request) -> Response:
        if not self.session:
            return Response(status_code=405)
        self.methods.append(request.method)
        return Response("retry: 0\n\n", media_type="text/event-stream")

    async def _stuck(self, request: Request) -> AsyncIterator[str]:
        yield "retry: 0\nid: 1\ndata: \n\n"
        await self._until_left(request)

    async def _until_left(self, request: Request) -> None:
        try:
            while not await request.is_disconnected():
                await asyncio.sleep(0.01)
        finally:
            self.left += 1

    async def _said(self, message: Json, first: str) -> AsyncIterator[str]:
        yield f"event: message\ndata: {first}\n\n"
        while '"id"' in first and not self.opened.is_set():
            await asyncio.sleep(0.01)
        event = {"jsonrpc": "2.0", "id": message["id"], "result": _text("fine")}
        yield f"event: message\ndata: {json.dumps(event)}\n\n"


def _greeting() -> Json:
    return {
        "protocolVersion": "2025-11-25",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "bare", "version": "1"},
    }


def _text(text: str) -> Json:
    return {"content": [{"type": "text", "text": text}]}


def _answer(message: Json) -> Json:
    return {"jsonrpc": "2.0", "id": message["id"]}


def _result(message: Json, result: Json, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({**_answer(message), "result": result}, headers=headers)


def _refused(message: Json, error: Json, status: int = 200) -> Response:
    return JSONResponse({**_answer(message), "error": error}, status_code=status)


def _packed(body: bytes) -> Response:
    headers = {"Content-Encoding": "gzip"}
    return Response(body, headers=headers, media_type="application/json")
