"""One running product for the whole suite: a real server process, a real database, scripted
servers for the model and the tools. Each test has its own people in it.

Where several processes share the tests, each of them has all of that for itself.
"""

import gc
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.servers.certificates import Certificates
from tests.workers import own_database, own_redis

# What is compiled is kept, also where that is not the habit: hundreds of programs load it again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

FOLDER = Path(tempfile.mkdtemp(prefix="ferryline-tests-"))
# Before Django is set up. Empty values win over a developer's own .env.
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "tests.settings",
    "SECRET_KEY": "a key for tests only, long enough to be silent about it 0123456789",
    "DATABASE_URL": own_database() or f"sqlite:///{FOLDER}/db.sqlite3",
    "REDIS_URL": own_redis(),
    "MEDIA_DIR": f"{FOLDER}/media",
    "STATIC_DIR": f"{FOLDER}/static",
    "ALLOWED_HOSTS": "localhost,127.0.0.1",
    "DEBUG": "false",
    "DRAIN_SECONDS": "1",
    # Tests count the requests to the model; tests/runs/test_titles.py has its own site.
    "TITLE_BY_MODEL": "false",
    # The servers that tests add in the admin listen on this machine.
    "MCP_ALLOW_PRIVATE_NETWORKS": "true",
    # One authority instead of all of the world's: reading those is most of making a client.
    "SSL_CERT_FILE": str(Certificates(FOLDER).authority),
    **dict.fromkeys(
        [
            "OPENROUTER_API_KEY",
            "LLM_BASE_URL",
            "LLM_API_KEY",
            "LLM_MODEL",
            "LLM_MODELS",
            "MCP_SERVER_URL",
            "MCP_API_KEY",
            "MCP_TOKEN_KEY",
            "METRICS_TOKEN",
            "MCP_CONFIG",
            "DEMO_MCP_URL",
            "RUN_RECOVERY",
            "HTTPS",
            "ADMIN_PASSWORD",
            "SITE_NAME",
            "MAX_TOOL_ITERATIONS",
            "TOOL_TIMEOUT_SECONDS",
            "MAX_ACTIVE_RUNS_PER_USER",
            "MAX_RUN_STARTS_PER_MINUTE",
            "MAX_MESSAGE_CHARACTERS",
            "CSRF_TRUSTED_ORIGINS",
            "TRUSTED_PROXIES",
            "ALLOW_SIGNUP",
            "EMAIL_URL",
            "EMAIL_FROM",
            *("OIDC_NAME", "OIDC_SERVER_URL", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"),
            "OIDC_ALLOW_SIGNUP",
        ],
        "",
    ),
}

import django

django.setup()

from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connections

from chat.models import MCPServer
from tests import sse
from tests.document import check_event
from tests.people import Person
from tests.prepared import migrate
from tests.servers.mcp_server import ScriptedMCPServer
from tests.servers.model_server import ScriptedModelServer
from tests.servers.programs import need
from tests.servers.redis import Redis
from tests.servers.site import Site

sse.CHECKS.append(check_event)


def pytest_collection_finish() -> None:
    # What is loaded by now stays; looking through it for garbage is a good part of the time.
    gc.freeze()


def pytest_unconfigure() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)


@pytest.fixture(scope="session")
def database() -> Iterator[None]:
    if connections["default"].vendor == "sqlite":
        migrate(os.environ["DATABASE_URL"])
    yield
    connections.close_all()


@pytest.fixture(scope="session")
def model_server() -> Iterator[ScriptedModelServer]:
    with ScriptedModelServer() as server:
        yield server


@pytest.fixture(scope="session")
def mcp_server() -> Iterator[ScriptedMCPServer]:
    with ScriptedMCPServer() as server:
        yield server


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    """One of its own, to be killed and frozen."""
    need("redis-server")
    with Redis() as server:
        yield server


@pytest.fixture(scope="session")
def site(
    database: None, model_server: ScriptedModelServer, mcp_server: ScriptedMCPServer
) -> Iterator[Site]:
    """The product as people run it; all tests that do not break it share this one."""
    call_command("collectstatic", interactive=False, verbosity=0)
    with Site(LLM_BASE_URL=model_server.base_url, MCP_SERVER_URL=mcp_server.url) as running:
        yield running


@pytest.fixture
def new_site(
    database: None, model_server: ScriptedModelServer, mcp_server: ScriptedMCPServer
) -> Iterator[Callable[..., Site]]:
    """Another process on the same database, to be configured otherwise, or killed."""
    with ExitStack() as stack:

        def start(**environment: str) -> Site:
            defaults = {"LLM_BASE_URL": model_server.base_url, "MCP_SERVER_URL": mcp_server.url}
            return stack.enter_context(Site(**(defaults | environment)))

        yield start


@pytest.fixture
def add_server(database: None) -> Iterator[Callable[..., MCPServer]]:
    """MCP servers as an admin adds them, kept to one person, gone after the test."""
    added: list[MCPServer] = []
    groups: list[Group] = []

    def add(person: Person, url: str, slug: str = "", **values: Any) -> MCPServer:
        name = slug or f"server-{secrets.token_hex(4)}"
        values.setdefault("is_trusted", True)
        server = MCPServer.objects.create(name=name.title(), slug=name, url=url, **values)
        added.append(server)
        group = Group.objects.create(name=secrets.token_hex(8))
        groups.append(group)
        server.groups.add(group)
        person.user.groups.add(group)
        return server

    yield add
    for row in (*added, *groups):
        row.delete()


@pytest.fixture
def alice(site: Site) -> Iterator[Person]:
    """Alice owns."""
    with Person("alice", site) as person:
        yield person


@pytest.fixture
def bob(site: Site) -> Iterator[Person]:
    """Bob must see nothing."""
    with Person("bob", site) as person:
        yield person


@pytest.fixture
def carol(site: Site) -> Iterator[Person]:
    """Carol is staff."""
    with Person("carol", site, is_staff=True) as person:
        yield person
