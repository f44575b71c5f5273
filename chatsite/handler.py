"""Django's ASGI handler with a fixed number of threads for its sync code.

Django gives each request a thread of its own, with its own database connection, until the
response is complete. For a stream that would be hours; and starting a thread holds up the event
loop, and with it every stream. Here all requests share a few threads that live on, and a request
that needs none is not handed to one just to be begun and ended.
See docs/decisions/0003-sse-from-a-view.md.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from asgiref.sync import SyncToAsync, ThreadSensitiveContext, sync_to_async
from django import setup
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.http import HttpRequest, HttpResponseBase
from django.urls import set_script_prefix

from chatsite.floods import Bounded, refuse

THREADS = 12


class Thread(ThreadPoolExecutor):
    """One thread; `is_used`: something ran in it since that was last said to be over.

    `load`: what it runs, and what waits for it.
    """

    def __init__(self, name: str) -> None:
        super().__init__(1, thread_name_prefix=name)
        self.is_used = False
        self._done = self._begun = 0

    @property
    def load(self) -> int:
        return self._begun - self._done

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        self.is_used = True
        self._begun += 1
        future = super().submit(*args, **kwargs)
        future.add_done_callback(self._count)
        return future

    def _count(self, _: Future[Any]) -> None:
        # Only ever called by the one thread, as each number has one who writes it.
        self._done += 1


class Handler(ASGIHandler):
    """Sync code of one request still runs in one thread, in order, as Django expects."""

    def __init__(self) -> None:
        super().__init__()
        self._threads: list[tuple[ThreadSensitiveContext, Thread]] = []
        for number in range(THREADS):
            context, thread = ThreadSensitiveContext(), Thread(f"request-{number}")
            SyncToAsync.context_to_thread_executor[context] = thread
            self._threads.append((context, thread))
        self._next = 0

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        context, thread = self._quietest()
        token = SyncToAsync.thread_sensitive_context.set(context)
        try:
            bounded = Bounded(receive)
            try:
                body = await self.read_body(bounded)
            except RequestAborted:
                if bounded.is_flood:
                    await refuse(send)
                return
            with body:
                await self._handle(scope, body, thread, receive, send)
        finally:
            SyncToAsync.thread_sensitive_context.reset(token)

    async def _handle(
        self, scope: dict[str, Any], body: Any, thread: Thread, receive: Callable, send: Callable
    ) -> None:
        """As ASGIHandler.handle, but its signals are sent where the request's connections are.

        Nothing that listens to them waits: they look after connections that were used.
        """
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=type(self), scope=scope)
        request, response = self.create_request(scope, body)
        if request is not None:
            response = await self._respond(request, receive, send)
        elif response is not None:
            await self.send_response(response, send)
        # Without a response nothing is to be closed but the connections.
        end = response.close if response else _finish
        if thread.is_used:
            thread.is_used = False
            await sync_to_async(end, thread_sensitive=True)()
        else:
            end()

    async def _respond(
        self, request: HttpRequest, receive: Callable, send: Callable
    ) -> HttpResponseBase | None:
        """The response that was sent; None if its reader left before there was one."""
        answering = asyncio.create_task(self._answer(request, send))
        leaving = asyncio.create_task(self.listen_for_disconnect(receive))
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            answering.cancel()
        with suppress(asyncio.CancelledError):
            return await answering
        return None

    async def _answer(self, request: HttpRequest, send: Callable) -> HttpResponseBase:
        response: HttpResponseBase = await self.run_get_response(request)
        # Whoever leaves in the middle of it leaves a response all the same.
        with suppress(asyncio.CancelledError):
            await self.send_response(response, send)
        return response

    async def listen_for_disconnect(self, receive: Callable) -> None:
        """Ends when the reader leaves; an exception would be nobody's while the server stops."""
        with suppress(RequestAborted):
            await super().listen_for_disconnect(receive)

    @classmethod
    def chunk_bytes(cls, data: Any) -> Any:
        """Most parts of a stream are small; nothing is to be cut there."""
        return [(data, True)] if len(data) <= cls.chunk_size else super().chunk_bytes(data)

    def _quietest(self) -> tuple[ThreadSensitiveContext, Thread]:
        """In turn, but not behind somebody's long page."""
        self._next = (self._next + 1) % THREADS
        order = self._threads[self._next :] + self._threads[: self._next]
        for pair in order:
            if not pair[1].load:
                return pair
        return min(order, key=lambda pair: pair[1].load)


def _finish() -> None:
    signals.request_finished.send(sender=Handler)


def get_handler() -> Handler:
    """Like django.core.asgi.get_asgi_application."""
    setup(set_prefix=False)
    return Handler()
