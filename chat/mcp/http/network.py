"""Which addresses may be connected to, and connections to exactly those.

A name is looked up once for each connection, every address that it leads to is checked, and the
connection goes to one of them: no second look-up could answer otherwise. The `Host` header, the
TLS server name and the check of the certificate stay those of the name. However oddly an address
is spelled, what counts is where it leads.
"""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import httpcore2
import httpx2

from chat.text import say

# Less than servers keep a quiet connection (uvicorn and Node 5 s, gunicorn 2): a call that is sent
# while it is being closed may or may not have been executed.
KEEPALIVE_SECONDS = 1

LookUp = Callable[[str, int], Awaitable[Sequence[str]]]
Origin = tuple[str, int]

NO_PORT = "its address has a port that cannot be"
UNKNOWN = "its host name could not be looked up"
IS_PRIVATE = "its address leads to a private network; MCP_ALLOW_PRIVATE_NETWORKS allows that"
IS_FORBIDDEN = "its address leads to where no server may be"
IS_PLAIN = "its address is http, which is for private networks only; use https"

# Refused even where private networks are allowed: link-local, multicast, and the addresses at
# which clouds hand out the credentials of a machine.
_FORBIDDEN = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("169.254.0.0/16", "fe80::/10", "224.0.0.0/4", "ff00::/8"),
        *("100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32"),
        *("fd00:ec2::/32", "fd20:ce::254/128"),
    )
)
# All of IPv6 that is given out; older releases of Python call some of the rest global.
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_DOCUMENTATION = ipaddress.ip_network("3fff::/20")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_IPV4_COMPATIBLE = ipaddress.ip_network("::/96")


class NotSent(httpx2.ConnectError):
    """A request was not sent; the text says why, in words for an admin."""


class AddressRefused(NotSent):
    """Nothing was connected to."""


class Reach(Enum):
    PUBLIC = "public"
    PRIVATE = "private"
    FORBIDDEN = "forbidden"


def reach_of(address: str) -> Reach:
    """Where an IP address leads. An IPv4 address inside of an IPv6 one counts, too."""
    found = ipaddress.ip_address(address)
    reaches = {_reach(part) for part in (found, *_embedded(found))}
    return next(r for r in (Reach.FORBIDDEN, Reach.PRIVATE, Reach.PUBLIC) if r in reaches)


def origin_of(url: str) -> Origin:
    """The host and port that an address names."""
    parts = httpx2.URL(url)
    return parts.raw_host.decode("ascii"), parts.port or (443 if parts.scheme == "https" else 80)


async def look_up(host: str, port: int) -> list[str]:
    """The IP addresses of a host, as the system knows them."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, kw_only=True, slots=True)
class Guard:
    """Decides where a name may lead: to public addresses, and to private ones where
    `allows_private`, or where its origin is one of `trusted`: those the deployment named itself.
    """

    trusted: frozenset[Origin] = frozenset()
    allows_private: bool = False
    look_up: LookUp = look_up

    async def addresses(self, host: str, port: int, *, is_encrypted: bool) -> Sequence[str]:
        """All addresses of the host. Raises AddressRefused if one of them is not allowed."""
        if port not in range(1, 65_536):
            raise AddressRefused(NO_PORT)
        try:
            found = await self.look_up(host, port)
        except (OSError, UnicodeError) as error:
            raise AddressRefused(UNKNOWN) from error
        may_be_private = self.allows_private or (host, port) in self.trusted
        for address in found:
            match reach_of(address):
                case Reach.FORBIDDEN:
                    raise AddressRefused(IS_FORBIDDEN)
                case Reach.PRIVATE if not may_be_private:
                    raise AddressRefused(IS_PRIVATE)
                case Reach.PUBLIC if not is_encrypted:
                    raise AddressRefused(IS_PLAIN)
        if not found:
            raise AddressRefused(UNKNOWN)
        return found


class GuardedTransport(httpx2.AsyncBaseTransport):
    """HTTP over connections that the guard allows. Follows no redirects, knows no proxies, takes
    nothing compressed.
    """

    def __init__(self, guard: Guard, *, limits: httpx2.Limits | None = None) -> None:
        limits = limits or httpx2.Limits(max_connections=8)
        context = httpx2.create_ssl_context()
        self._encrypted = _Transport(_Backend(guard, is_encrypted=True), context, limits)
        self._plain = _Transport(_Backend(guard, is_encrypted=False), context, limits)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        transport = self._encrypted if request.url.scheme == "https" else self._plain
        # A few compressed bytes may be gigabytes, and nobody counts those before they are there.
        request.headers["Accept-Encoding"] = "identity"
        response = await transport.handle_async_request(request)
        if response.headers.get("Content-Encoding", "").lower() not in {"", "identity"}:
            await response.aclose()
            raise httpx2.RemoteProtocolError(say("it compresses what it was asked not to"))
        return response

    async def aclose(self) -> None:
        await self._encrypted.aclose()
        await self._plain.aclose()


class _Transport(httpx2.AsyncHTTPTransport):
    """httpx2's own, with connections that `backend` makes."""

    def __init__(
        self, backend: httpcore2.AsyncNetworkBackend, context: ssl.SSLContext, limits: httpx2.Limits
    ) -> None:
        super().__init__(verify=context)
        # httpx2 has no parameter for it. Deleted first: a release that keeps its connections
        # elsewhere must fail here, not go unguarded.
        del self._pool
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=KEEPALIVE_SECONDS,
            network_backend=backend,
        )


class _Backend(httpcore2.AnyIOBackend):
    def __init__(self, guard: Guard, *, is_encrypted: bool) -> None:
        super().__init__()
        self._guard = guard
        self._is_encrypted = is_encrypted

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first address that answers. `timeout` holds for all of them."""
        failure: Exception = httpcore2.ConnectTimeout()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                addresses = await self._guard.addresses(host, port, is_encrypted=self._is_encrypted)
                share = timeout and timeout / len(addresses)
                for address in addresses:
                    try:
                        return await super().connect_tcp(address, port, share)
                    except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                        failure = error
        raise failure


def _reach(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Reach:
    if any(address in network for network in _FORBIDDEN):
        return Reach.FORBIDDEN
    if isinstance(address, ipaddress.IPv4Address):
        is_public = address.is_global and not address.is_reserved
    else:
        is_given_out = address in _GLOBAL_UNICAST and address not in _DOCUMENTATION
        is_public = (is_given_out and address.is_global) or address in _NAT64
    return Reach.PUBLIC if is_public else Reach.PRIVATE


def _embedded(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> Iterable[ipaddress.IPv4Address]:
    """The IPv4 addresses that connections to this IPv6 address may end at."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    if address in _NAT64 or address in _IPV4_COMPATIBLE:
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
