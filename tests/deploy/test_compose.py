"""compose.yaml and deploy/Caddyfile are read, not started: no image is built here."""

import ast
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands
from django.urls import is_valid_path

from tests.deploy.steps import DEPLOY, production
from tests.servers.programs import find
from tests.servers.site import ROOT

COMPOSE = (ROOT / "compose.yaml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "ferryline"}
APPS = {name: service for name, service in OURS.items() if "serve" in service["command"]}
CADDYFILE = (DEPLOY / "Caddyfile").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
# Read by the images that are not ours.
OF_IMAGES = {"POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"}


def test_the_proxy_asks_each_process_and_each_knows_how_many_they_are() -> None:
    upstreams = SERVICES["caddy"]["environment"]["UPSTREAMS"].split()

    assert len(APPS) >= 2
    assert upstreams == [f"{name}:{port()}" for name in APPS]
    assert {service["environment"]["PROCESSES"] for service in OURS.values()} == {str(len(APPS))}


def port() -> str:
    found = re.search(r"\bPORT=(\d+)", (ROOT / "Dockerfile").read_text())
    assert found
    return found[1]


def test_nothing_waits_for_what_never_comes() -> None:
    for service in SERVICES.values():
        for name, wait in service.get("depends_on", {}).items():
            other = SERVICES[name]
            if wait["condition"] == "service_healthy":
                assert other["healthcheck"]["test"], name
            else:
                assert wait["condition"] == "service_completed_successfully"
                assert other["restart"] == "no"
    for service in APPS.values():
        assert set(service["depends_on"]) == {"setup", "postgres", "redis"}
        # Answers end before it is killed, streams before them.
        assert int(service["stop_grace_period"].removesuffix("s")) > settings_of_drain() + 8


def settings_of_drain() -> int:
    found = re.search(r"^#DRAIN_SECONDS=(\d+)$", EXAMPLE, re.MULTILINE)
    assert found
    return int(found[1])


def test_variables_are_read_by_somebody() -> None:
    known = set(re.findall(r"^#([A-Z_]+)=", EXAMPLE, re.MULTILINE))
    of_caddy = set(re.findall(r"\{\$([A-Z_]+)", CADDYFILE))

    for name, service in SERVICES.items():
        given = set(service.get("environment", {}))
        assert given <= (known if name in OURS else of_caddy | OF_IMAGES), name
    assert set(SERVICES["caddy"]["environment"]) == of_caddy
    assert set(re.findall(r"\$\{([A-Z_]+)", COMPOSE)) <= known | of_caddy
    assert set(production()) <= known


def test_addresses_lead_to_the_services() -> None:
    environment = APPS["app1"]["environment"]
    database = SERVICES["postgres"]["environment"]

    user, password, name = (database[f"POSTGRES_{it}"] for it in ("USER", "PASSWORD", "DB"))
    assert environment["DATABASE_URL"] == f"postgres://{user}:{password}@postgres:5432/{name}"
    assert environment["REDIS_URL"].startswith("redis://redis:6379/")
    assert f"-U {user}" in SERVICES["postgres"]["healthcheck"]["test"][1]


def test_commands_are_there_and_processes_are_asked_whether_they_can_work() -> None:
    for service in OURS.values():
        assert service["command"][:2] == ["python", "manage.py"]
        assert service["command"][2] in get_commands()
    for service in APPS.values():
        kind, program, option, code = service["healthcheck"]["test"]
        assert (kind, program, option) == ("CMD", "python", "-c")
        ast.parse(code)
        found = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", code)
        assert found
        assert found[1] == port()
        assert is_valid_path(found[2])


def test_what_is_mounted_is_there_and_what_is_kept_has_a_volume() -> None:
    volumes = yaml.safe_load(COMPOSE)["volumes"]
    for service in SERVICES.values():
        for source, *_ in (volume.split(":") for volume in service.get("volumes", [])):
            assert Path(ROOT, source).is_file() if source.startswith(".") else source in volumes
    folders = re.findall(r"_DIR=(\S+)", (ROOT / "Dockerfile").read_text())
    for folder in (*folders, APPS["app1"]["environment"]["STATIC_DIR"]):
        assert folder.startswith("/data/")
    assert all("data:/data" in service["volumes"] for service in OURS.values())


def test_caddy_can_read_its_file(tmp_path: Path) -> None:
    caddy = find("caddy")
    if caddy is None:
        pytest.skip("not installed: caddy")
    command = [caddy, "validate", "--adapter", "caddyfile", "--config", str(DEPLOY / "Caddyfile")]

    for given in ({}, SERVICES["caddy"]["environment"] | {"SITE_ADDRESS": "localhost"}):
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **given}
        read = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert read.returncode == 0, read.stderr
