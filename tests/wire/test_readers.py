"""Readers that are slow, or take nothing at all."""

import fcntl
import socket
import termios
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import psutil
import pytest
from django.utils import timezone

from chat.events import content, done
from chat.models import AgentRun, Conversation, RunEvent, RunStatus
from tests.people import Person
from tests.servers.raw_server import RawServer, delta, stream
from tests.servers.site import Site
from tests.sse import ask, begin, wait_until

PIECE = "x" * 50_000
PIECES = 200
# So many looks in a row find a connection as full as before.
STILL = 20
LIVE_PIECES = 100
LIVE_READERS = 60
# What an answer of 5 MB may cost by itself; its readers would cost three times as much.
LIVE_BYTES = 100_000_000
SLOW_READERS = 20
READER_BYTES = 262_144
# Rows in the hands of the four threads that read them, and what the interpreter takes meanwhile.
SLACK_BYTES = 12 << 20
# How often it is asked who is connected, which costs more than all else here.
ASK_SECONDS = 0.5
# Twice the time-out: something may have moved in the first one.
GONE_SECONDS = 150


class SlowReader:
    """A connection with a small window that has asked for a stream and takes nothing of it."""

    def __init__(self, site: Site, person: Person, run_id: Any) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.connect(("127.0.0.1", site.port))
        self.port = self._socket.getsockname()[1]
        head = f"GET /api/runs/{run_id}/events/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        self._socket.sendall(f"{head}Authorization: Bearer {person.token}\r\n\r\n".encode())

    def __enter__(self) -> "SlowReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


@contextmanager
def slow_readers(site: Site, person: Person, run_id: Any, count: int) -> Iterator[set[int]]:
    """Their ports."""
    with ExitStack() as stack:
        readers = [stack.enter_context(SlowReader(site, person, run_id)) for _ in range(count)]
        yield {reader.port for reader in readers}


class Watched:
    """The process of a site: its memory, and who is connected to it."""

    def __init__(self, site: Site) -> None:
        assert site.process
        self._process = psutil.Process(site.process.pid)
        self._is_connected = False
        self._asked_at = 0.0
        self.most = self.memory

    @property
    def memory(self) -> int:
        """Its own: SQLite maps the database's file into each thread that reads it."""
        memory = self._process.memory_info()
        return int(memory.rss - memory.shared)

    def is_connected_to(self, ports: set[int]) -> bool:
        """As of ASK_SECONDS ago at most; its memory is looked at each time."""
        self.most = max(self.most, self.memory)
        if time.monotonic() - self._asked_at > ASK_SECONDS:
            found = self._process.net_connections("tcp")
            peers = {one.raddr.port for one in found if one.raddr and one.status == "ESTABLISHED"}
            self._is_connected = bool(peers & ports)
            self._asked_at = time.monotonic()
        return self._is_connected


@pytest.fixture
def long_run(alice: Person) -> AgentRun:
    """An ended run of 10 MB: more than a connection's buffers take, and than a reader may cost."""
    conversation = Conversation.objects.create(owner=alice.user)
    now = timezone.now()
    run = AgentRun.objects.create(
        conversation=conversation,
        owner=alice.user,
        message=conversation.messages.create(role="user", content="?"),
        status=RunStatus.COMPLETED,
        model_name="none",
        last_seq=PIECES + 1,
        finished_at=now,
    )
    events = [content(PIECE)] * PIECES + [done("", finish_reason="stop", usage={})]
    RunEvent.objects.bulk_create(
        RunEvent(run=run, seq=number, kind=event.kind, data=event.to_json(), created_at=now)
        for number, event in enumerate(events, 1)
    )
    return run


@pytest.mark.slow
def test_readers_who_take_nothing_cost_little_and_are_disconnected(
    alice: Person, long_run: AgentRun, new_site: Callable[..., Site]
) -> None:
    url = f"/api/runs/{long_run.pk}/events/"
    sites = [alice.site, new_site(server="uvicorn")]
    whole = [httpx.get(site.url + url, headers=alice.headers).content for site in sites]
    watched = [Watched(site) for site in sites]
    before = [each.memory for each in watched]

    with ExitStack() as stack:
        crowds = [slow_readers(site, alice, long_run.pk, SLOW_READERS) for site in sites]
        ports = [stack.enter_context(crowd) for crowd in crowds]

        def connected() -> list[bool]:
            pairs = zip(watched, ports, strict=True)
            return [each.is_connected_to(theirs) for each, theirs in pairs]

        wait_until(lambda: all(connected()), 30, "they are connected")
        begun = time.monotonic()
        wait_until(lambda: not any(connected()), GONE_SECONDS, "they are gone")

    assert time.monotonic() - begun > 15
    for each, memory in zip(watched, before, strict=True):
        assert each.most - memory <= SLOW_READERS * READER_BYTES + SLACK_BYTES
    again = [httpx.get(site.url + url, headers=alice.headers).content for site in sites]
    assert [alice.api.get(url).content] * 2 == whole == again


@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
def test_a_reader_who_pauses_gets_every_byte(
    alice: Person, long_run: AgentRun, new_site: Callable[..., Site], server: str
) -> None:
    """The write that fills the connection is taken in part; the rest of it comes after that."""
    site = alice.site if server == "daphne" else new_site(server=server)
    url = f"{site.url}/api/runs/{long_run.pk}/events/"
    whole = httpx.get(url, headers=alice.headers).content

    with httpx.stream("GET", url, headers=alice.headers, timeout=60) as response:
        connection = response.extensions["network_stream"].get_extra_info("socket")
        filled: list[int] = []

        def is_full() -> bool:
            filled.append(unread(connection))
            return len(filled) > STILL and len({0, *filled[-STILL:]}) == 2

        wait_until(is_full, 30, "nothing more fits into the connection")
        taken = response.read()

    assert len(taken) > filled[-1]
    assert taken == whole


def unread(connection: socket.socket) -> int:
    """Bytes that have come and were not taken."""
    count = array("i", [0])
    fcntl.ioctl(connection, termios.FIONREAD, count)
    return count[0]


def test_readers_who_take_nothing_of_a_running_answer_cost_little(
    alice: Person, new_site: Callable[..., Site]
) -> None:
    answer = stream(*[delta(content=PIECE)] * LIVE_PIECES, delta("stop"))
    with RawServer([answer]) as model:
        site = new_site(LLM_BASE_URL=model.base_url)
        with httpx.Client(base_url=site.url, headers=alice.headers, timeout=60) as api:
            # The run itself holds its text; that is not what readers cost.
            ask(api, "Alone")
            watched = Watched(site)
            before = watched.memory
            run_id = begin(api, "With others")["run_id"]
            with slow_readers(site, alice, run_id, LIVE_READERS) as ports:
                run = AgentRun.objects.filter(pk=run_id)
                wait_until(
                    lambda: watched.is_connected_to(ports) and run.get().is_over, 60, "its end"
                )

    assert watched.most - before <= LIVE_READERS * READER_BYTES + LIVE_BYTES
