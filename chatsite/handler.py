"""Django's ASGI handler with a fixed number of threads for its sync code.

Django gives each request a thread of its own, with its own database connection, until the
response is complete. For a stream that would be hours; and starting a thread holds up the event
loop, and with it every stream. Here all requests share a few threads that live on.
See docs/decisions/0003-sse-from-a-view.md.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from asgiref.sync import SyncToAsync, ThreadSensitiveContext
from django import setup
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler

THREADS = 12


class Handler(ASGIHandler):
    """Sync code of one request still runs in one thread, in order, as Django expects."""

    def __init__(self) -> None:
        super().__init__()
        self._threads: list[tuple[ThreadSensitiveContext, ThreadPoolExecutor]] = []
        for number in range(THREADS):
            context = ThreadSensitiveContext()
            thread = ThreadPoolExecutor(1, thread_name_prefix=f"request-{number}")
            SyncToAsync.context_to_thread_executor[context] = thread
            self._threads.append((context, thread))
        self._next = 0

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        token = SyncToAsync.thread_sensitive_context.set(self._quietest())
        try:
            await self.handle(scope, receive, send)
        finally:
            SyncToAsync.thread_sensitive_context.reset(token)

    async def listen_for_disconnect(self, receive: Callable) -> None:
        """Ends when the reader leaves; an exception would be nobody's while the server stops."""
        with suppress(RequestAborted):
            await super().listen_for_disconnect(receive)

    @classmethod
    def chunk_bytes(cls, data: Any) -> Any:
        """Most parts of a stream are small; nothing is to be cut there."""
        return [(data, True)] if len(data) <= cls.chunk_size else super().chunk_bytes(data)

    def _quietest(self) -> ThreadSensitiveContext:
        """In turn, but not behind somebody's long page."""
        self._next = (self._next + 1) % THREADS
        order = self._threads[self._next :] + self._threads[: self._next]
        return min(order, key=lambda pair: pair[1]._work_queue.qsize())[0]


def get_handler() -> Handler:
    """Like django.core.asgi.get_asgi_application."""
    setup(set_prefix=False)
    return Handler()
