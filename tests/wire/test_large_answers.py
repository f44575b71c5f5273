"""What servers send without measure costs its own call, and little memory."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from chat.models import MCPServer
from tests.people import Person
from tests.servers.bare_mcp_server import BareMCPServer
from tests.servers.site import Site
from tests.sse import Frame, ask

MEGABYTES = 50
MAX_EXTRA_BYTES = 64 << 20
LOOK_SECONDS = 0.002


class Watch:
    """The most memory that a process was seen to hold, in bytes."""

    def __init__(self, process_id: int) -> None:
        self._process = psutil.Process(process_id)
        self._is_over = threading.Event()
        self.began_at = self.most = self._process.memory_info().rss

    @contextmanager
    def watching(self) -> Iterator[None]:
        thread = threading.Thread(target=self._look, daemon=True)
        thread.start()
        yield
        self._is_over.set()
        thread.join()

    @property
    def extra_bytes(self) -> int:
        return self.most - self.began_at

    def _look(self) -> None:
        while not self._is_over.wait(LOOK_SECONDS):
            self.most = max(self.most, self._process.memory_info().rss)


@pytest.fixture
def bare_server() -> Iterator[BareMCPServer]:
    """One that answers as it likes, among the servers of the site for the length of a test."""
    names = ("ok", "huge", "huge_event")
    definitions = [{"name": name, "inputSchema": {"type": "object"}} for name in names]
    with BareMCPServer(definitions) as server:
        row = MCPServer.objects.create(
            name="Bare tools", slug="bare", url=server.url, is_trusted=True
        )
        yield server
        row.delete()


def results(seen: list[Frame]) -> list[Frame]:
    return [frame for frame in seen if frame.event == "tool_result"]


@pytest.mark.parametrize("name", ["huge", "huge_event"])
def test_an_answer_of_50_mb_fails_its_call_and_costs_little_memory(
    site: Site, alice: Person, bare_server: BareMCPServer, name: str
) -> None:
    # What is needed once for any call is not what this one costs.
    ask(alice.api, '[[call ok]][[call echo {"text": "hi"}]][[then]][[text Warm.]]')
    assert site.process
    watch = Watch(site.process.pid)

    with watch.watching():
        call = f'[[call {name} {{"megabytes": {MEGABYTES}}}]]'
        seen = ask(alice.api, f'{call}[[call echo {{"text": "hi"}}]][[then]][[text Fine.]]')

    ended = {each.data["tool"]: each.data for each in results(seen)}
    failed, echoed = ended[name], ended["echo"]
    assert failed["outcome"] == "tool_error"
    assert failed["result"] == (
        "Bare tools has answered, but the result is larger than can be accepted."
    )
    assert (echoed["outcome"], echoed["result"]) == ("ok", "hi")
    assert seen[-1].event == "done"
    assert watch.extra_bytes <= MAX_EXTRA_BYTES
