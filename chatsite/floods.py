"""What is larger than any view would read is refused while it comes, not once it is there.

Django measures a body only when all of it has arrived, and Daphne before it collects the whole in a
file and then hands all of it over at once, in memory: 1 GB sent was 1 GB held.
"""

import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings

Message = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]

TEXT = json.dumps({"message": "The body is too large.", "code": "TOO_LARGE"}).encode()
HEADERS = [
    (b"content-type", b"application/json"),
    (b"content-length", b"%d" % len(TEXT)),
    # What still comes is nobody's next request.
    (b"connection", b"close"),
]


class Bounded:
    """`receive` of a request, as if its sender had left once its body `is_flood`."""

    def __init__(self, receive: Receive) -> None:
        self.is_flood = False
        self._receive = receive
        self._taken = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._taken += len(message.get("body", b""))
        self.is_flood = self._taken > settings.MAX_BODY_BYTES
        return {"type": "http.disconnect"} if self.is_flood else message


async def refuse(send: Send) -> None:
    """The whole response."""
    await send({"type": "http.response.start", "status": 413, "headers": HEADERS})
    await send({"type": "http.response.body", "body": TEXT})


def bound_daphne() -> None:
    """The same where Daphne takes bytes off the connection; without Daphne, nothing."""
    daphne: Any = sys.modules.get("daphne.http_protocol")
    if daphne is None:
        return

    class BoundedRequest(daphne.WebRequest):
        taken = 0

        def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 (Twisted's name)
            before, self.taken = self.taken, self.taken + len(data)
            if self.taken <= settings.MAX_BODY_BYTES:
                super().handleContentChunk(data)
            elif before <= settings.MAX_BODY_BYTES:
                self.channel.transport.write(_as_bytes())
                self.channel.loseConnection()

    daphne.WebRequest = BoundedRequest


def _as_bytes() -> bytes:
    head = b"".join(b"%s: %s\r\n" % header for header in HEADERS)
    return b"HTTP/1.1 413 Request Entity Too Large\r\n%s\r\n%s" % (head, TEXT)
