"""Where a server's address may lead, held with real sockets and look-ups that lie."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import httpx2
import pytest

from chat.mcp.health import ServerHealth
from chat.mcp.http.network import (
    IS_FORBIDDEN,
    IS_PLAIN,
    IS_PRIVATE,
    KEEPALIVE_SECONDS,
    UNKNOWN,
    AddressRefused,
    Guard,
    GuardedTransport,
    Reach,
    look_up,
    origin_of,
    reach_of,
)
from chat.mcp.hub import Hub
from tests.mcp.steps import config
from tests.servers.certificates import Certificates
from tests.servers.mcp_server import ScriptedMCPServer

# Given out to nobody any more (RFC 7526), and yet no private address.
NOBODY = "192.88.99.1"


class Canary:
    """Listens on every loopback address; counts who comes, and answers with what it was sent."""

    def __init__(self) -> None:
        self.visitors: list[str] = []
        self.heads: list[str] = []
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

    @asynccontextmanager
    async def listening(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._visited, "0.0.0.0", 0, ssl=tls)
        async with server:
            yield server.sockets[0].getsockname()[1]

    async def _visited(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visitors.append(writer.get_extra_info("sockname")[0])
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(self.answer)
        await writer.drain()
        writer.close()


@pytest.fixture
def canary() -> Canary:
    return Canary()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


class Names:
    """A name server that answers as it likes: the first time this, the second time that."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def look_up(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0)


async def get(url: str, guard: Guard, seconds: float = 5) -> httpx2.Response:
    async with httpx2.AsyncClient(transport=GuardedTransport(guard), timeout=seconds) as http:
        return await http.get(url)


def trusting(url: str, look_up: Callable[[str, int], Awaitable[Sequence[str]]]) -> Guard:
    return Guard(trusted=frozenset({origin_of(url)}), look_up=look_up)


PUBLIC = ["8.8.8.8", "2606:4700::1111", "64:ff9b::8.8.8.8"]
PRIVATE = [
    *("10.1.2.3", "172.16.0.1", "192.168.0.1", "127.0.0.1", "127.9.9.9", "0.0.0.0"),
    *("100.64.0.1", "192.0.2.1", "198.18.0.1", "240.0.0.1", "255.255.255.255"),
    *("::1", "::", "fc00::1", "fd12::1", "2001:db8::1", "3fff::1", "fec0::1"),
    *("::ffff:10.0.0.1", "::ffff:127.0.0.1", "::127.0.0.1", "::ffff:8.8.8.8"),
    *("64:ff9b::10.0.0.1", "64:ff9b:1::8.8.8.8", "2002:a00:1::1", "2002:7f00:1::1"),
]
FORBIDDEN = [
    *("169.254.169.254", "169.254.170.2", "fd00:ec2::254", "100.100.100.200"),
    *("168.63.129.16", "fe80::1", "fe80::1%lo", "224.0.0.1", "ff02::1"),
    *("::ffff:169.254.169.254", "64:ff9b::169.254.169.254", "2002:a9fe:a9fe::1"),
]


@pytest.mark.parametrize(
    ("reach", "addresses"),
    [(Reach.PUBLIC, PUBLIC), (Reach.PRIVATE, PRIVATE), (Reach.FORBIDDEN, FORBIDDEN)],
)
def test_an_address_in_any_form_is_known_by_where_it_leads(
    reach: Reach, addresses: list[str]
) -> None:
    assert [address for address in addresses if reach_of(address) is not reach] == []


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "localhost.", "LOCALHOST", "2130706433", "0x7f000001"),
        *("0177.0.0.1", "127.1", "0", "0.0.0.0", "someone@127.0.0.1", "example.org@127.1"),
        *("[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "127.0.0.1.", "①27.0.0.1"),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_no_spelling_of_this_machine_gets_through(
    canary: Canary, host: str, scheme: str
) -> None:
    async with canary.listening() as port:
        with pytest.raises((AddressRefused, httpx2.InvalidURL)) as refused:
            await get(f"{scheme}://{host}:{port}/", Guard())

    assert canary.visitors == []
    if isinstance(refused.value, AddressRefused):
        assert str(refused.value) in {IS_PRIVATE, UNKNOWN}


async def test_the_metadata_service_is_refused_even_where_private_networks_are_allowed() -> None:
    for url in ("http://169.254.169.254/latest", "https://2852039166/", "http://[fe80::1]/"):
        with pytest.raises(AddressRefused, match=IS_FORBIDDEN):
            await get(url, Guard(allows_private=True))


async def test_a_name_that_leads_to_several_addresses_is_judged_by_the_worst(
    canary: Canary,
) -> None:
    names = Names([NOBODY, "127.0.0.1"])
    async with canary.listening() as port:
        with pytest.raises(AddressRefused, match="private network"):
            await get(f"https://two.example:{port}/", Guard(look_up=names.look_up))

    assert canary.visitors == []


async def test_a_name_that_is_public_first_and_private_later_leads_nowhere(
    canary: Canary,
) -> None:
    names = Names([NOBODY], ["127.0.0.1"])
    guard = Guard(look_up=names.look_up)
    async with canary.listening() as port:
        url = f"https://rebind.example:{port}/"
        # Judged public, so it is to this address that the connection goes: no second look-up.
        with pytest.raises((httpx2.ConnectTimeout, httpx2.ConnectError)) as first:
            await get(url, guard, seconds=0.3)
        assert len(names.asked) == 1
        with pytest.raises(AddressRefused, match="private network"):
            await get(url, guard)

    assert not isinstance(first.value, AddressRefused)
    assert canary.visitors == []


async def test_the_connection_goes_to_the_checked_address_under_the_asked_name(
    canary: Canary,
) -> None:
    names = Names(["127.0.0.7"], ["127.0.0.8"])
    async with canary.listening() as port:
        url = f"http://tools.example:{port}/mcp"
        answer = await get(url, trusting(url, names.look_up))

    assert answer.text == "hi"
    assert canary.visitors == ["127.0.0.7"]
    assert f"Host: tools.example:{port}\r\n" in canary.heads[0]
    assert names.asked == ["tools.example"]


async def test_a_certificate_must_be_that_of_the_name_not_of_the_address(
    canary: Canary, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    asked_for: list[str | None] = []
    tls = certificates.context("tools.example")
    tls.sni_callback = lambda connection, name, context: asked_for.append(name)
    async with canary.listening(tls) as port:
        url, other = f"https://tools.example:{port}/", f"https://other.example:{port}/"
        answer = await get(url, trusting(url, Names(["127.0.0.1"]).look_up))
        with pytest.raises(httpx2.ConnectError, match="not valid for 'other"):
            await get(other, trusting(other, Names(["127.0.0.1"]).look_up))

    assert answer.text == "hi"
    assert asked_for == ["tools.example", "other.example"]
    assert len(canary.heads) == 1


async def test_only_private_addresses_may_be_spoken_to_without_encryption() -> None:
    names = Names([NOBODY])
    with pytest.raises(AddressRefused, match=IS_PLAIN):
        await get("http://public.example/", Guard(allows_private=True, look_up=names.look_up))


async def test_a_trusted_address_does_not_make_its_neighbour_trusted(canary: Canary) -> None:
    async with canary.listening() as port, canary.listening() as neighbour:
        guard = Guard(trusted=frozenset({("127.0.0.1", port)}))
        assert (await get(f"http://127.0.0.1:{port}/", guard)).text == "hi"
        with pytest.raises(AddressRefused, match="private network"):
            await get(f"http://127.0.0.1:{neighbour}/", guard)

    assert len(canary.visitors) == 1


async def test_a_server_in_a_private_network_is_a_state_with_a_reason(
    hub: Hub, server: ScriptedMCPServer, heard: list[ServerHealth]
) -> None:
    hub.configure([config(server.url, may_be_private=False)])

    discovery = await hub.open_toolbox().discover()

    assert discovery.failures == [f"The tools of Demo tools could not be had: {IS_PRIVATE}."]
    assert heard[-1].state == "down"
    assert heard[-1].reason == IS_PRIVATE
    assert server.lists == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_another_origin_is_not_followed(
    hub: Hub, heard: list[ServerHealth], canary: Canary, status: int
) -> None:
    elsewhere = Canary()
    async with canary.listening() as port, elsewhere.listening() as target:
        canary.answer = (
            f"HTTP/1.1 {status} Elsewhere\r\nLocation: http://127.0.0.1:{target}/mcp\r\n"
            "Content-Length: 0\r\n\r\n"
        ).encode()
        hub.configure([config(f"http://127.0.0.1:{port}/mcp", wait_seconds=2)])
        discovery = await hub.open_toolbox().discover()

    assert len(discovery.failures) == 1
    assert canary.visitors
    assert elsewhere.visitors == []


def test_the_guard_trusts_what_the_deployment_named_however_it_is_written() -> None:
    assert origin_of("http://LOCALHOST:9000/mcp") == ("localhost", 9000)
    assert origin_of("https://tools.example/mcp") == ("tools.example", 443)
    assert origin_of("http://[::1]/mcp") == ("::1", 80)
    assert origin_of("https://user:secret@bücher.example/") == ("xn--bcher-kva.example", 443)


async def test_a_quiet_connection_is_left_before_servers_close_it() -> None:
    visits: list[asyncio.Task[None]] = []

    async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append(asyncio.ensure_future(serve(reader, writer)))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(visited, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        transport = GuardedTransport(trusting(url, look_up))
        async with httpx2.AsyncClient(transport=transport) as http:
            for _ in range(2):
                await http.get(url)
            assert len(visits) == 1
            await asyncio.sleep(KEEPALIVE_SECONDS + 0.1)
            await http.get(url)
            assert len(visits) == 2
        await asyncio.wait_for(asyncio.gather(*visits), 5)
