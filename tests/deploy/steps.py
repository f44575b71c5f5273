"""An installation as docs/deploy.md makes it, from the files in deploy/, without systemd."""

import os
import re
import shlex
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from tests.servers.programs import find
from tests.servers.site import ROOT, free_port, listens
from tests.servers.spawner import Program
from tests.sse import wait_until

DEPLOY = ROOT / "deploy"
HOST = "chat.example.org"
KEPT = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
START_SECONDS = 60
STOP_SECONDS = 30


def substituted(text: str, changes: dict[str, str]) -> str:
    """Fails where a file in deploy/ no longer has what is to be replaced."""
    for old, new in changes.items():
        assert old in text, f"{old!r} is not in the file"
        text = text.replace(old, new)
    return text


def production(**changes: str) -> dict[str, str]:
    """The environment file, as systemd would read it."""
    lines = (DEPLOY / "ferryline.env").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return given | changes


class Service:
    """What ferryline@PORT.service would run; `log` is its journal."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.port = free_port()
        self._log = folder / f"{self.port}.log"
        self._pid = folder / f"{self.port}.pid"
        unit = (DEPLOY / "ferryline@.service").read_text().replace("%i", str(self.port))
        command = re.findall(r"^ExecStart=(.*)", unit, re.MULTILINE)[0]
        python, script, *self._arguments = shlex.split(command)
        assert (python, script) == ("/opt/ferryline/.venv/bin/python", "manage.py")
        own = re.findall(r"^Environment=(.*)", unit, re.MULTILINE)[0].split()
        self._environment = os.environ | environment | dict(pair.split("=", 1) for pair in own)
        self.process: Program | None = None

    def __enter__(self) -> Self:
        self.start()
        wait_until(self.is_ready, START_SECONDS, "the process is ready")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self.process
        self.process.kill()
        self.process.wait()

    @property
    def log(self) -> str:
        return self._log.read_text()

    def start(self) -> None:
        with self._log.open("a") as log:
            self.process = Program("manage", self._arguments, self._environment, log)

    def stop(self) -> int:
        assert self.process
        self.process.terminate()
        return self.process.wait(STOP_SECONDS)

    def is_ready(self) -> bool:
        assert self.process
        assert self.process.poll() is None, self.log
        try:
            url = f"http://127.0.0.1:{self.port}/readyz"
            return listens(self.port) and httpx.get(url, timeout=5).status_code == 200
        except httpx.TransportError:
            return False


class Nginx:
    """deploy/nginx.conf before the services; `certificate` is what its clients are to trust."""

    def __init__(self, folder: Path, ports: list[int]) -> None:
        self._folder = folder
        self.port, self.plain_port = free_port(), free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.certificate = folder / "certificate.pem"
        self.access_log = folder / "access.log"
        self._key = folder / "key.pem"
        self._make_certificate()
        (folder / "site.conf").write_text(self._site(ports))
        (folder / "nginx.conf").write_text(
            f"daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;\n"
            f"{'user root;' if os.geteuid() == 0 else ''}\n"
            # Debian's are root's.
            f"events {{}} http {{ {''.join(f'{name}_temp_path {folder}; ' for name in KEPT)}"
            f"include {folder}/site.conf; }}\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [str(find("nginx")), "-p", str(self._folder), "-c", f"{self._folder}/nginx.conf"]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        wait_until(self._answers, START_SECONDS, "nginx answers")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process
        self._process.terminate()
        self._process.wait(STOP_SECONDS)

    def _site(self, ports: list[int]) -> str:
        certificates = f"/etc/letsencrypt/live/{HOST}"
        return substituted(
            (DEPLOY / "nginx.conf").read_text(),
            {
                "127.0.0.1:8001": f"127.0.0.1:{ports[0]}",
                "127.0.0.1:8002": f"127.0.0.1:{ports[1]}",
                "listen 80;": f"listen 127.0.0.1:{self.plain_port};",
                "listen [::]:80;": "",
                "listen 443 ssl": f"listen 127.0.0.1:{self.port} ssl",
                "listen [::]:443 ssl http2;": "",
                f"{certificates}/fullchain.pem": str(self.certificate),
                f"{certificates}/privkey.pem": str(self._key),
                "/var/log/nginx/ferryline.log": str(self.access_log),
            },
        )

    def _make_certificate(self) -> None:
        names = f"subjectAltName=DNS:{HOST},IP:127.0.0.1"
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", f"/CN={HOST}"),
                *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-addext", names),
                *("-keyout", str(self._key), "-out", str(self.certificate)),
            ],
            check=True,
            capture_output=True,
        )

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, (self._folder / "error.log").read_text()
        try:
            httpx.get(f"http://127.0.0.1:{self.plain_port}/")
        except httpx.TransportError:
            time.sleep(0.02)
            return False
        return True
