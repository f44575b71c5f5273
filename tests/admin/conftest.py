"""A server that changes its tools while the site uses it."""

from collections.abc import Callable, Iterator

import pytest

from chat.models import MCPServer
from tests.admin.steps import Desk
from tests.people import Person
from tests.servers.bare_mcp_server import BareMCPServer


@pytest.fixture
def desk(alice: Person, add_server: Callable[..., MCPServer]) -> Iterator[Desk]:
    with BareMCPServer() as server:
        yield Desk(server, add_server(alice, server.url), alice)
