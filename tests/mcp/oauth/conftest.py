"""A server that wants an authorisation, in use at the site."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from chat.models import MCPServer
from tests.mcp.oauth.steps import SLUG
from tests.servers.oauth_server import OAuthServer


@pytest.fixture
def authority() -> Iterator[OAuthServer]:
    with OAuthServer() as running:
        yield running


@contextmanager
def served(authority: OAuthServer, kind: str) -> Iterator[MCPServer]:
    server = MCPServer.objects.create(
        name="Guarded tools",
        slug=SLUG,
        url=authority.mcp.url,
        authorisation=kind,
        is_trusted=True,
    )
    try:
        yield server
    finally:
        server.delete()


@pytest.fixture
def personal(database: None, authority: OAuthServer) -> Iterator[MCPServer]:
    """Each person authorises it for themselves."""
    with served(authority, "personal") as server:
        yield server


@pytest.fixture
def shared(database: None, authority: OAuthServer) -> Iterator[MCPServer]:
    """An admin authorises it for all."""
    with served(authority, "shared") as server:
        yield server
