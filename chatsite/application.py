"""How the parts of the site are put together for an ASGI server."""

import asyncio
import gc
import logging
import re
import sys
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.conf import settings
from django.db import Error
from django.urls import path

from chat import log_ids
from chat.consumers import SidebarConsumer
from chat.runs.engine import engine
from chat.runs.leaving import shut_down
from chat.runs.pool import bound_waits, in_writer
from chat.runs.tools.configured import settle_configured_servers
from chat.runs.watch import watch_over
from chatsite import telemetry
from chatsite.backpressure import paced
from chatsite.ending import end_before
from chatsite.floods import bound_daphne
from chatsite.static_files import StaticFiles

Application = Callable[[dict[str, Any], Callable, Callable], Awaitable[None]]

logger = logging.getLogger(__name__)
SWITCH_SECONDS = 0.001
AGAIN_SECONDS = 2
GIVEN_ID = re.compile(rb"[0-9A-Za-z-]{8,64}")
# The last number bounds what waits to be collected: 1 M new objects, or 10 to 20 MiB.
COLLECT_AFTER = (20_000, 10, 5)


def build(django_application: Any) -> "Site":
    """Everything that is served, under one application."""
    telemetry.begin()
    bound_waits()
    sockets = URLRouter([path("ws/", SidebarConsumer.as_asgi())])
    routes = ProtocolTypeRouter(
        {
            "http": StaticFiles(django_application, settings.STATIC_ROOT, settings.STATIC_URL),
            "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(sockets)),
        }
    )
    _hold_up_streams_less()
    site = Site(routes)
    bound_daphne()
    # Under Daphne: at once, not with the first request. Somebody may be owed an ending.
    if reactor := sys.modules.get("twisted.internet.reactor"):
        reactor.callWhenRunning(lambda: asyncio.ensure_future(site.begin()))
    return site


def _hold_up_streams_less() -> None:
    """What holds the interpreter makes the event loop wait, and with it every stream."""
    # A thread that computes lets the loop in after this long; the default is 5 ms.
    sys.setswitchinterval(SWITCH_SECONDS)
    # What is loaded by now stays; looking through it for garbage took up to 100 ms a time.
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


class Site:
    """Begins the background work with the first event of whatever server runs it.

    Daphne has no lifespan, so signals end the work there; servers that have one (uvicorn,
    hypercorn) use it.
    """

    def __init__(self, routes: Application) -> None:
        self._routes = routes
        self._beginning: asyncio.Task[None] | None = None
        self._settling: asyncio.Task[None] | None = None

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        await self.begin()
        log_ids.request_id.set(request_id(scope))
        is_http = scope["type"] == "http"
        await self._routes(scope, receive, paced(send) if is_http else send)

    async def begin(self) -> None:
        """Once per process; later callers wait for the first."""
        if self._beginning is None:
            self._beginning = asyncio.ensure_future(self._begin())
        if not self._beginning.done():
            await asyncio.shield(self._beginning)

    async def _begin(self) -> None:
        reactor = sys.modules.get("twisted.internet.reactor")
        if reactor is not None and getattr(reactor, "running", False):
            end_before(reactor)
        # First, so that whoever goes on with an answer finds the servers where they are now.
        if not await _settled():
            self._settling = asyncio.ensure_future(_settle_later())
        watch_over(engine())

    async def _lifespan(self, receive: Callable, send: Callable) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.begin()
                await send({"type": "lifespan.startup.complete"})
            else:
                await shut_down(drain_seconds=settings.DRAIN_SECONDS)
                await send({"type": "lifespan.shutdown.complete"})
                return


def request_id(scope: dict[str, Any]) -> str:
    """The proxy's, so that its log and ours can be put side by side; else a new one."""
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given.decode() if GIVEN_ID.fullmatch(given) else uuid4().hex


async def _settled() -> bool:
    """Whether the database was there, and knows of the configured servers."""
    try:
        await in_writer(settle_configured_servers)
    except Error as error:
        logger.error("The database cannot be used yet: %s", str(error).strip())
        return False
    return True


async def _settle_later() -> None:
    while True:
        await asyncio.sleep(AGAIN_SECONDS)
        if await _settled():
            return
