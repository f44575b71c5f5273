"""What tests of signing in do again and again, and the site that they do it at."""

import asyncio
import secrets
from collections.abc import Iterator
from threading import Event
from typing import Any

import httpx
import pytest

from tests.servers.mail_server import MailServer
from tests.servers.mcp_server import ScriptedMCPServer
from tests.servers.model_server import ScriptedModelServer
from tests.servers.site import Site


class SlowMailServer(MailServer):
    """Answers only while `answers` is set, or after seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = Event()
        self.answers.set()

    async def handle_DATA(self, *mail: Any) -> str:  # noqa: N802
        await asyncio.to_thread(self.answers.wait, 60)
        return await super().handle_DATA(*mail)

    def to(self, address: str) -> list[Any]:
        return [mail for mail in self.mails if mail["To"] == address]


@pytest.fixture(scope="session")
def mail_server() -> Iterator[SlowMailServer]:
    with SlowMailServer() as server:
        yield server


@pytest.fixture(scope="session")
def gate(
    site: Site,
    mail_server: SlowMailServer,
    model_server: ScriptedModelServer,
    mcp_server: ScriptedMCPServer,
) -> Iterator[Site]:
    """A site behind a proxy, with mail; the one that all tests share has neither."""
    # With the same tools: on the same database it would take them from the other one.
    same = {"LLM_BASE_URL": model_server.base_url, "MCP_SERVER_URL": mcp_server.url}
    with Site(TRUSTED_PROXIES="1", EMAIL_URL=mail_server.url, **same) as running:
        yield running


def browser(site: Site, address: str = "") -> httpx.Client:
    """Behind our proxy. What a person claims comes first; the last one is the proxy's."""
    seen = address or f"10.7.{secrets.randbelow(250)}.{secrets.randbelow(250)}"
    forwarded = {"X-Forwarded-For": f"{secrets.token_hex(2)}, 10.9.9.9, {seen}"}
    return httpx.Client(base_url=site.url, headers=forwarded, timeout=30)


def form_for(client: httpx.Client, url: str = "/accounts/login/", **fields: str) -> dict[str, str]:
    """What a browser would send: the fields, and the token that came with the page."""
    client.get(url)
    return {**fields, "csrfmiddlewaretoken": client.cookies["csrftoken"]}


def try_in(
    client: httpx.Client, username: str, password: str, next_url: str = ""
) -> httpx.Response:
    form = form_for(client, username=username, password=password, next=next_url)
    return client.post("/accounts/login/", data=form)
