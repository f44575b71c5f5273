"""A stdio server for tests, as a configuration and as a process."""

import sys
from typing import Any

import psutil

from chat.mcp.config import ServerConfig
from chat.mcp.toolbox import HubToolbox
from tests.mcp.steps import call
from tests.servers.site import ROOT

SERVER = str(ROOT / "tests" / "servers" / "stdio_server.py")


def child(*options: str, slug: str = "child", **values: Any) -> ServerConfig:
    values = {"command": sys.executable, "args": ("-S", SERVER, *options)} | values
    return ServerConfig(slug=slug, name=f"{slug.title()} tools", **values)


async def pid_of(toolbox: HubToolbox) -> int:
    return int((await call(toolbox, "who")).text)


def is_alive(pid: int) -> bool:
    """Alive, and no zombie that nobody has waited for."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
