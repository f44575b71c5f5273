"""More than anybody needs: of bytes, headers, depth, connections. Nobody else notices."""

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import aiohttp
import psutil
import pytest

from tests.people import Person
from tests.servers.mcp_server import ScriptedMCPServer
from tests.servers.model_server import ScriptedModelServer
from tests.servers.site import Site

GIGABYTE = 1 << 30
PIECE = 1 << 16
CHUNK = b"%x\r\n%s\r\n" % (PIECE, b"x" * PIECE)
# A body as large as the largest that is taken, twice: where it comes in, and for the application.
SLACK_BYTES = 64 << 20
SLOW_SENDERS = 100
CHUNKED = "Transfer-Encoding: chunked"
MEASURED = f"Content-Length: {GIGABYTE}"
DEEP = 100_000
Said = aiohttp.WSMsgType
OVER = {Said.CLOSE, Said.CLOSING, Said.CLOSED, Said.ERROR}


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def server(
    request: pytest.FixtureRequest,
    site: Site,
    model_server: ScriptedModelServer,
    mcp_server: ScriptedMCPServer,
) -> Iterator[Site]:
    """Its process is the same afterwards, and well, and had nothing to complain of."""
    with ExitStack() as stack:
        found = site
        if request.param == "uvicorn":
            urls = {"LLM_BASE_URL": model_server.base_url, "MCP_SERVER_URL": mcp_server.url}
            found = stack.enter_context(Site(server="uvicorn", **urls))
        yield from watched(found)


def watched(found: Site) -> Iterator[Site]:
    assert found.process
    before, said = found.process.pid, len(found.log)
    yield found
    assert found.process.poll() is None
    assert found.process.pid == before
    assert "Traceback" not in found.log[said:]


def memory(site: Site) -> int:
    assert site.process
    found = psutil.Process(site.process.pid).memory_info()
    return int(found.rss - found.shared)


def connected(site: Site) -> socket.socket:
    return socket.create_connection(("127.0.0.1", site.port), timeout=30)


def head(path: str, *headers: str, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def status_of(connection: socket.socket) -> int:
    """0: hung up on."""
    with suppress(ConnectionError):
        if answer := connection.recv(PIECE):
            return int(answer.split()[1])
    return 0


def flood(site: Site, start: bytes, piece: bytes) -> tuple[int, int, int]:
    """Up to 1 GB until there is an answer: its status, what was sent, what it took in memory."""
    before = most = memory(site)
    sent = 0
    with connected(site) as connection:
        connection.sendall(start)
        # Whoever sends may be hung up on before it looks.
        with suppress(ConnectionError):
            while sent < GIGABYTE and not select.select([connection], [], [], 0)[0]:
                connection.sendall(piece)
                sent += PIECE
                if sent % (4 << 20) == 0:
                    most = max(most, memory(site))
        status = status_of(connection)
    return status, sent, max(most, memory(site)) - before


def test_a_body_of_a_gigabyte_is_refused_long_before_its_end(server: Site, alice: Person) -> None:
    token = f"Authorization: Bearer {alice.token}"
    floods = [
        (head("/chat/stream", token, CHUNKED), CHUNK),
        (head("/chat/stream", token, MEASURED), b"x" * PIECE),
        # Of those who are nobody, too.
        (head("/accounts/login/", CHUNKED), CHUNK),
        (head("/api/conversations/imports/", CHUNKED), CHUNK),
    ]

    for start, piece in floods:
        status, sent, held = flood(server, start, piece)
        assert (status, sent < GIGABYTE / 8) == (413, True), (start, sent)
        assert held < SLACK_BYTES, (start, held)

    with connected(server) as connection:
        connection.sendall(head("/healthz", method="GET"))
        assert status_of(connection) == 200


def test_headers_without_end_are_refused(site: Site, server: Site) -> None:
    many = [f"X-{number}: y" for number in range(5_000)]
    for headers in (["X-Long: " + "y" * 100_000], many):
        with connected(server) as connection:
            connection.sendall(head("/healthz", *headers, method="GET"))
            status = status_of(connection)
        # uvicorn takes them; a proxy before it would not.
        assert status in ({0, 400} if server is site else {200, 400, 431})


@pytest.mark.parametrize("piece", ["[", '{"message":', '[{"a":'])
def test_no_depth_of_json_is_too_deep_for_a_sentence(alice: Person, piece: str) -> None:
    routes = ("/chat/stream", "/api/conversations/", "/api/conversations/imports/")
    for route in routes:
        refused = alice.api.post(route, content=piece * DEEP)
        assert (refused.status_code, refused.json()["code"]) == (400, "BAD_REQUEST")


def test_who_sends_a_byte_now_and_then_holds_up_nobody(server: Site) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(connected(server)) for _ in range(SLOW_SENDERS)]
        for number, connection in enumerate(slow):
            whole = head("/chat/stream", "Content-Length: 1000")
            connection.sendall(whole[: -(number % 5) or None])
        begun = time.monotonic()
        with connected(server) as connection:
            connection.sendall(head("/healthz", method="GET"))
            assert status_of(connection) == 200
        assert time.monotonic() - begun < 5


async def test_a_page_that_says_too_much_is_disconnected(server: Site, alice: Person) -> None:
    headers = {"Origin": server.url, "Cookie": f"sessionid={alice.session_cookie}"}
    async with aiohttp.ClientSession() as http:
        page = await http.ws_connect(server.url.replace("http", "ws") + "/ws/", headers=headers)
        before = memory(server)
        with suppress(ConnectionError):
            await page.send_bytes(b"x" * (32 << 20))
        said = await page.receive(timeout=10)
        assert said.type in OVER
        assert memory(server) - before < SLACK_BYTES
