"""deploy/ as it is, tried out: nginx, two processes, PostgreSQL, Redis; and an update under way."""

import asyncio
import json
import os
import re
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from uuid import UUID

import aiohttp
import httpx
import pytest

from tests.deploy.reader import Asker, Reader
from tests.deploy.steps import HOST, Nginx, Service, production
from tests.prepared import migrate
from tests.servers.model_server import ScriptedModelServer
from tests.servers.postgresql import PostgreSQL
from tests.servers.programs import need
from tests.servers.redis import Redis
from tests.servers.site import ROOT
from tests.start.steps import Installation

STREAMS = 8
SECRET_KEY = "of this test alone, and long enough for anybody: 7d0f3c1b9a8e5f"
PASSWORD = "correct horse battery staple"


class Place:
    """A running installation. `environment` is that of its services."""

    def __init__(self, environment: dict[str, str], services: list[Service], nginx: Nginx) -> None:
        self.environment = environment
        self.services = services
        self.nginx = nginx
        self.manage = Installation(Path("/nowhere"), **environment).manage


@pytest.fixture
def place(tmp_path: Path, model_server: ScriptedModelServer) -> Iterator[Place]:
    need("nginx", "postgres", "redis-server", "openssl")
    folder = tmp_path
    with PostgreSQL() as database, Redis() as redis:
        environment = production(
            SECRET_KEY=SECRET_KEY,
            DATABASE_URL=database.url,
            REDIS_URL=redis.url,
            MEDIA_DIR=f"{folder}/media",
            STATIC_DIR=f"{folder}/static",
            LLM_BASE_URL=model_server.base_url,
            LLM_MODEL="scripted",
            ADMIN_PASSWORD=PASSWORD,
            DEMO_MCP_SERVER="false",
            DRAIN_SECONDS="1",
            TITLE_BY_MODEL="true",
            MAX_RUN_STARTS_PER_MINUTE="0",
            MAX_ACTIVE_RUNS_PER_USER="100",
        )
        migrate(database.url)
        prepared = Installation(folder, **environment).manage("setup")
        assert prepared.returncode == 0, prepared.stderr
        with (
            Service(folder, environment) as one,
            Service(folder, environment) as other,
            Nginx(folder, [one.port, other.port]) as nginx,
        ):
            yield Place(environment, [one, other], nginx)


@pytest.fixture
async def api(place: Place) -> AsyncIterator[httpx.AsyncClient]:
    """A program on one connection of HTTP/2."""
    token = place.manage("create_api_token", "admin").stdout.strip()
    async with httpx.AsyncClient(
        http2=True,
        base_url=place.nginx.url,
        verify=ssl.create_default_context(cafile=str(place.nginx.certificate)),
        headers={"Authorization": f"Bearer {token}", "Host": HOST},
        limits=httpx.Limits(max_connections=1),
        timeout=60,
    ) as client:
        yield client


async def test_the_files_make_an_installation_and_an_update_of_it_loses_no_answer(
    place: Place, api: httpx.AsyncClient, tmp_path: Path
) -> None:
    await streams_of_many_tabs_come_event_by_event_over_one_connection(place, api)
    await a_browser_is_led_to_https_signs_in_and_hears_of_news(place, api)
    await an_update_loses_no_answer(place, api, tmp_path)
    check_logs(place)


async def streams_of_many_tabs_come_event_by_event_over_one_connection(
    place: Place, api: httpx.AsyncClient
) -> None:
    asker = Asker(api)
    readers = [await asker.ask("[[tokens 40 delay 100]]") for _ in range(STREAMS)]

    reading = asyncio.gather(*(reader.read() for reader in readers))
    page = await api.get("/api/conversations/")
    assert (page.status_code, page.http_version, reading.done()) == (200, "HTTP/2", False)
    await reading

    for reader in readers:
        assert reader.is_whole
        assert reader.breaks == 0
        # Not in a lump: the model took 4 s, and so did the events.
        assert reader.came[-1] - reader.came[0] > 2
        assert len(set(reader.came)) > 15


async def a_browser_is_led_to_https_signs_in_and_hears_of_news(
    place: Place, api: httpx.AsyncClient
) -> None:
    trust = ssl.create_default_context(cafile=str(place.nginx.certificate))
    async with httpx.AsyncClient(
        http2=True, base_url=place.nginx.url, verify=trust, headers={"Host": HOST}
    ) as browser:
        plain = await browser.get(f"http://127.0.0.1:{place.nginx.plain_port}/x?q=1")
        assert plain.headers["Location"] == f"https://{HOST}/x?q=1"
        assert (await browser.get("/metrics")).status_code == 404

        form = await browser.get("/accounts/login/")
        assert form.headers["Strict-Transport-Security"].startswith("max-age=31536000")
        style = re.search(r'"(/static/css/site\.[0-9a-f]{12}\.css)"', form.text)
        assert style
        answer = await browser.get(style[1], headers={"Accept-Encoding": "gzip"})
        assert answer.headers["Content-Encoding"] == "gzip"
        assert "immutable" in answer.headers["Cache-Control"]

        token = browser.cookies["csrftoken"]
        entered = await browser.post(
            "/accounts/login/",
            data={"username": "admin", "password": PASSWORD, "csrfmiddlewaretoken": token},
            headers={"Origin": f"https://{HOST}", "Referer": f"https://{HOST}/accounts/login/"},
        )
        assert entered.status_code == 302, entered.text
        cookie = next(c for c in entered.headers.get_list("set-cookie") if "sessionid" in c)
        assert "Secure" in cookie
        assert "HttpOnly" in cookie

    headers = {"Host": HOST, "Origin": f"https://{HOST}", "Cookie": cookie.partition(";")[0]}
    # One of its own: that of httpx asks for HTTP/2.
    trust = ssl.create_default_context(cafile=str(place.nginx.certificate))
    async with aiohttp.ClientSession() as session:
        url = f"{place.nginx.url}/ws/".replace("https", "wss")
        async with session.ws_connect(url, ssl=trust, headers=headers) as socket:
            reader = await Asker(api).ask("[[text News for all tabs.]][[title-status 400]]")
            news = await socket.receive_json(timeout=20)
            assert news
            await reader.read()


@contextmanager
def restarting(services: list[Service]) -> Iterator[str]:
    """An address that stands for systemd: a GET of …/PORT is `systemctl restart`."""

    class Systemd(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            service = next(one for one in services if self.path == f"/{one.port}")
            service.stop()
            service.start()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Systemd) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


async def an_update_loses_no_answer(place: Place, api: httpx.AsyncClient, tmp_path: Path) -> None:
    asker = Asker(api)
    reading: list[asyncio.Task[None]] = []
    pids = {service.process.pid for service in place.services if service.process}

    with restarting(place.services) as systemd:
        caller = tmp_path / "restart.py"
        caller.write_text("import sys, urllib.request\nurllib.request.urlopen(sys.argv[1])\n")
        environment = place.environment | {
            "PORTS": " ".join(str(service.port) for service in place.services),
            "BACKUPS": str(tmp_path),
            "INSTALL": "true",
            "MANAGE": f"{sys.executable} manage.py",
            "RESTART": f"{sys.executable} {caller} {systemd}",
        }
        with (tmp_path / "upgrade.log").open("w+") as log:
            upgrade = subprocess.Popen(
                ["sh", str(ROOT / "deploy" / "upgrade.sh")],
                env=os.environ | environment,
                stdout=log,
                stderr=log,
            )
            asked: list[Reader] = []
            while upgrade.poll() is None:
                # Each takes seconds: some are always under way, in either process.
                asked.append(await asker.ask("[[tokens 75 delay 80]]"))
                reading.append(asyncio.create_task(asked[-1].read()))
                await asyncio.sleep(2)
            log.seek(0)
            assert upgrade.returncode == 0, log.read()

    await asyncio.gather(*reading)
    assert not pids & {service.process.pid for service in place.services if service.process}
    assert list(tmp_path.glob("before-*.zip"))
    for reader in asked:
        assert reader.is_whole
        assert reader.seen[-1].event == "done"
        assert reader.seen[-1].data["content"].endswith("t75 ")
    cut = [reader for reader in asked if reader.breaks]
    print(f"{len(asked)} asked, {len(cut)} of them cut; {asker.refusals} refused at first")
    assert cut


def check_logs(place: Place) -> None:
    """What all these tests have left there: JSON, whose it is, and nothing that was said."""
    lines = [line for service in place.services for line in service.log.splitlines()]
    entries = [json.loads(line) for line in lines if not line.startswith("Ferryline is running")]
    assert all(entry["message"] for entry in entries)
    # The title that the model refused, after the answer to one request.
    (refused,) = (entry for entry in entries if "keeps its first words" in entry["message"])
    passed = place.nginx.access_log.read_text()
    requests = re.findall(
        r'"POST /api/conversations/ HTTP/2.0" 201 .* (\w{32})$', passed, re.MULTILINE
    )
    assert refused["request"] in requests
    assert (refused["user"], UUID(refused["run"]).version) == ("1", 4)
    everything = "\n".join(lines) + passed
    for said in ("tokens 75", "News for all", "t74 ", SECRET_KEY, PASSWORD, "Bearer "):
        assert said not in everything
