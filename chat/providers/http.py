"""The HTTP client for model APIs: httpx in front, aiohttp's parser in C behind it.

httpx's own transport costs about three times as much processor time per streamed chunk, which
under load is what people wait for; see docs/decisions/0004-dependencies.md.
"""

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

KEEPALIVE_SECONDS = 30


def create_http_client() -> httpx.AsyncClient:
    """One per process; whoever makes it closes it. Must be made where an event loop is running.

    Proxies: HTTP_PROXY, HTTPS_PROXY, NO_PROXY. Certificates: SSL_CERT_FILE, SSL_CERT_DIR.
    """
    return httpx.AsyncClient(transport=AiohttpTransport(client=_session))


def was_stale(error: httpx.TransportError) -> bool:
    """Whether a kept connection turned out to be closed: the same request on a new one may pass."""
    cause = error.__cause__
    return isinstance(
        cause, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError
    ) and not isinstance(cause, aiohttp.ClientConnectorError)


def _session() -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=0, keepalive_timeout=KEEPALIVE_SECONDS, ssl=httpx.create_ssl_context()
    )
    # A response is decompressed by httpx, and streams ask not to be compressed at all.
    return aiohttp.ClientSession(connector=connector, auto_decompress=False, trust_env=True)
