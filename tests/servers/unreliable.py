"""A proxy for HTTP that spoils event streams: it cuts them, and it refuses them."""

import re
from typing import Self

import aiohttp
from aiohttp import web

EVENT = re.compile(rb"\nevent: ")
NOT_PASSED_ON = {"transfer-encoding", "content-length", "content-encoding", "connection"}


class Unreliable:
    """Stands before the site at `site_url`; lives on the loop that enters it.

    Streams end after `cut_after` events, in the middle of the next one, `cuts` times at most; after
    the first time, `refusals` requests for a stream are answered 503. `cut` counts the cuts made.
    WebSockets are refused: the page works without.
    """

    def __init__(self, site_url: str, *, cut_after: int, cuts: int, refusals: int) -> None:
        self._site_url = site_url
        self._cut_after = cut_after
        self._cuts = cuts
        self.cut = 0
        self.refusals = refusals

    async def __aenter__(self) -> Self:
        self._client = aiohttp.ClientSession(auto_decompress=False)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        place = web.TCPSite(self._runner, "127.0.0.1", 0)
        await place.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._client.close()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        is_stream = request.path.endswith("/events/")
        if request.path == "/ws/" or (is_stream and self._refuses()):
            return web.Response(status=503)
        async with self._client.request(
            request.method,
            self._site_url + request.raw_path,
            headers={**request.headers, "Accept-Encoding": "identity"},
            data=await request.read(),
            allow_redirects=False,
        ) as answer:
            response = web.StreamResponse(status=answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in NOT_PASSED_ON:
                    response.headers.add(name, value)
            await response.prepare(request)
            await self._copy(
                answer, response, request, is_spoilt=is_stream and self.cut < self._cuts
            )
        return response

    def _refuses(self) -> bool:
        if not (self.cut and self.refusals):
            return False
        self.refusals -= 1
        return True

    async def _copy(
        self,
        answer: aiohttp.ClientResponse,
        response: web.StreamResponse,
        request: web.Request,
        *,
        is_spoilt: bool,
    ) -> None:
        seen = 0
        async for piece in answer.content.iter_any():
            events = list(EVENT.finditer(piece))
            if is_spoilt and seen + len(events) > self._cut_after:
                await response.write(piece[: events[self._cut_after - seen].start()])
                self.cut += 1
                if request.transport:
                    request.transport.close()
                return
            seen += len(events)
            await response.write(piece)
        await response.write_eof()
