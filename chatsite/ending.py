"""The end under Daphne: what lives here ends first, then the server.

Daphne, once asked to stop, cancels every open stream and closes it only when all else has ended:
while answers are given their time, their readers would see nothing of it.
"""

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from signal import SIGINT, SIGTERM
from socket import SHUT_RDWR
from typing import Any

from django.conf import settings

from chat.runs.leaving import shut_down

Handler = Callable[[int, Any], Any]


def end_before(reactor: Any) -> None:
    """From now on the running reactor stops for a signal only after what lives here has ended."""
    stops: dict[int, Any] = {number: signal.getsignal(number) for number in (SIGTERM, SIGINT)}
    for number in stops:
        signal.signal(number, partial(_asked_to_stop, reactor, stops))


def _asked_to_stop(reactor: Any, stops: dict[int, Handler], number: int, _: Any) -> None:
    # Being asked again changes nothing, but for a Ctrl-C: that ends it at once. Not SIG_IGN, which
    # programs that are started from now on would inherit.
    signal.signal(SIGTERM, lambda *_: None)
    signal.signal(SIGINT, stops[SIGINT])
    if settings.PROCESSES > 1:
        reactor.callFromThread(_turn_away, reactor)
    reactor.callFromThread(lambda: asyncio.ensure_future(_end(number, stops[number])))


def _turn_away(reactor: Any) -> None:
    """Whoever comes from now on is refused, so that a proxy leads them to another process at once.

    Those who are connected stay. Where there is no other process nobody is refused.
    """
    for door in [reader for reader in reactor.getReaders() if hasattr(reader, "stopListening")]:
        # Of the socket itself: the one that `manage.py serve` opened has another handle.
        with suppress(OSError):
            door.socket.shutdown(SHUT_RDWR)
        door.stopListening()


async def _end(number: int, stop: Handler) -> None:
    # Ctrl-C: a person is waiting.
    drain = 0 if number == SIGINT else settings.DRAIN_SECONDS
    try:
        await shut_down(drain_seconds=drain)
    finally:
        stop(number, None)
