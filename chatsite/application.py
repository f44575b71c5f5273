"""How the parts of the site are put together for an ASGI server."""

import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable
from signal import SIGINT
from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.conf import settings
from django.urls import path
from servestatic import ServeStaticASGI

from chat.consumers import SidebarConsumer
from chat.runs import supervisor
from chat.runs.engine import engine
from chat.runs.pool import in_writer
from chat.runs.tools.servers import settle_configured_servers
from chatsite.backpressure import paced

Application = Callable[[dict[str, Any], Callable, Callable], Awaitable[None]]

SHUTDOWN_SECONDS = 8
SWITCH_SECONDS = 0.001
COLLECT_AFTER = (20_000, 20, 20)


def build(django_application: Any) -> "Site":
    """Everything that is served, under one application."""
    sockets = URLRouter([path("ws/", SidebarConsumer.as_asgi())])
    routes = ProtocolTypeRouter(
        {
            "http": ServeStaticASGI(
                django_application, root=settings.STATIC_ROOT, prefix=settings.STATIC_URL
            ),
            "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(sockets)),
        }
    )
    _hold_up_streams_less()
    site = Site(routes)
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

    Daphne has no lifespan, so a Twisted trigger ends the work there; servers that have one
    (uvicorn, hypercorn) use it.
    """

    def __init__(self, routes: Application) -> None:
        self._routes = routes
        self._beginning: asyncio.Task[None] | None = None

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        await self.begin()
        is_http = scope["type"] == "http"
        await self._routes(scope, receive, paced(send) if is_http else send)

    async def begin(self) -> None:
        """Once per process; later callers wait for the first."""
        if self._beginning is None:
            self._beginning = asyncio.ensure_future(_begin())
        if not self._beginning.done():
            await asyncio.shield(self._beginning)

    async def _lifespan(self, receive: Callable, send: Callable) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.begin()
                await send({"type": "lifespan.startup.complete"})
            else:
                await supervisor.shut_down(drain_seconds=settings.DRAIN_SECONDS)
                await send({"type": "lifespan.shutdown.complete"})
                return


async def _begin() -> None:
    reactor = sys.modules.get("twisted.internet.reactor")
    if reactor is not None and getattr(reactor, "running", False):
        reactor.addSystemEventTrigger("before", "shutdown", _end_under_twisted)
    await in_writer(settle_configured_servers)
    supervisor.watch_over(engine())


def _end_under_twisted() -> Any:
    """A Deferred: Twisted waits for it before it stops the loop."""
    from twisted.internet.defer import Deferred

    # Ctrl-C: a person is waiting.
    is_hurried = getattr(sys.modules["twisted.internet.reactor"], "_exitSignal", 0) == SIGINT
    drain = 0 if is_hurried else settings.DRAIN_SECONDS
    ending = asyncio.wait_for(supervisor.shut_down(drain_seconds=drain), drain + SHUTDOWN_SECONDS)
    return Deferred.fromFuture(asyncio.ensure_future(ending))
