"""The HTTP client for model APIs: requests and responses of httpx, aiohttp's parser in C.

httpx's own transport costs about three times as much processor time per streamed chunk, which
under load is what people wait for; see docs/decisions/0004-dependencies.md. Without httpx's client
around it: cookies, redirects and sign-ins of its kind are nothing that a model's API needs.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from urllib.request import getproxies

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from httpx_aiohttp.transport import AiohttpResponseStream, map_aiohttp_exceptions

KEEPALIVE_SECONDS = 30
# What is read of a stream before others have their turn.
READ_BYTES = 16_384

Read = Callable[[], Awaitable[bytes]]


def create_http_client() -> httpx.AsyncBaseTransport:
    """One per process; whoever makes it closes it.

    Proxies: HTTP_PROXY, HTTPS_PROXY, NO_PROXY. Certificates: SSL_CERT_FILE, SSL_CERT_DIR.
    """
    return AiohttpTransport(client=_session)


def was_stale(error: httpx.TransportError) -> bool:
    """Whether a kept connection turned out to be closed: the same request on a new one may pass."""
    cause = error.__cause__
    return isinstance(
        cause, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError
    ) and not isinstance(cause, aiohttp.ClientConnectorError)


def reader(response: httpx.Response) -> Read:
    """Gives the next bytes of an open response as they come, b"" at its end.

    Straight from aiohttp: three generators around each piece are a tenth of what a token costs.
    Raises aiohttp.ClientError; see `as_httpx`.
    """
    stream = response.stream
    assert isinstance(stream, AiohttpResponseStream)  # noqa: S101 (our transport's)
    return partial(stream._aiohttp_response.content.read, READ_BYTES)


def as_httpx(error: aiohttp.ClientError) -> httpx.TransportError:
    """What our transport would have raised. Raises the error itself where it knows no other."""
    try:
        with map_aiohttp_exceptions():
            raise error
    except httpx.TransportError as mapped:
        return mapped


def _session() -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=0, keepalive_timeout=KEEPALIVE_SECONDS, ssl=httpx.create_ssl_context()
    )
    # A response is decompressed by httpx, and streams ask not to be compressed at all.
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        # Asking the environment takes a thread, for each request.
        trust_env=bool(getproxies()),
    )
