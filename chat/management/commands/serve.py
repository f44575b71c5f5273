"""manage.py serve: everything under Daphne, on HOST and PORT."""

import errno
import os
import socket
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from chat.mcp.demo.process import start_demo_server

# Daphne gives open streams this long to end when it is asked to stop.
CLOSE_SECONDS = "5"
# Connections that wait while Daphne is still loading.
BACKLOG = 128


class Command(BaseCommand):
    help = "Start the server, and the demo tools with it. Ctrl-C stops both."

    def handle(self, *args: Any, **options: Any) -> None:
        door = open_door(settings.HOST, settings.PORT)
        environment = os.environ | self._start_demo_tools()
        self.stdout.write(
            f"{settings.SITE_NAME} is running at {address_of(door)}  (Ctrl-C stops it)"
        )
        self.stdout.flush()
        os.chdir(settings.BASE_DIR)
        command = [sys.executable, "-m", "chatsite", *daphne_options(door)]
        # The same process from here on: signals and exit codes are Daphne's own.
        os.execve(sys.executable, command, environment)  # noqa: S606

    def _start_demo_tools(self) -> dict[str, str]:
        """What the environment must say of them; empty where there are none."""
        if not settings.DEMO_MCP_SERVER or settings.DEMO_MCP_URL:
            return {}
        demo = start_demo_server()
        if demo is None:
            self.stderr.write("The demo tools did not start; going on without them.")
            return {}
        # Handed on to Daphne: when that ends, however, the demo server sees it.
        os.set_inheritable(demo.pipe, True)
        return {"DEMO_MCP_URL": demo.url}


def open_door(host: str, port: int) -> socket.socket:
    """A listening socket; port 0: on any free port. Raises CommandError with what to do.

    From here on nobody is refused: who comes early waits until Daphne has loaded.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        raise CommandError(problem_with(host, port, error)) from error


def problem_with(host: str, port: int, error: Exception) -> str:
    match getattr(error, "errno", None):
        case errno.EADDRINUSE:
            other = port + 1 if port < 65535 else 8000
            return (
                f"Port {port} is in use. Stop the other program or choose another port: "
                f"PORT={other} make run"
            )
        case errno.EACCES | errno.EPERM:
            return f"Port {port} is for the system. Choose one above 1023: PORT=8000 make run"
        case _:
            return f"HOST={host} PORT={port} cannot be listened on: {error}"


def address_of(door: socket.socket) -> str:
    host, port = door.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 (compared, not bound)
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def daphne_options(door: socket.socket) -> list[str]:
    return [
        *place(door),
        *("--application-close-timeout", CLOSE_SECONDS),
        *("--access-log", os.devnull),
        *("--verbosity", "0"),
        # Who is behind the proxy; only asked for where there is one.
        *(("--proxy-headers",) if settings.HTTPS else ()),
        "chatsite.asgi:application",
    ]


def place(door: socket.socket) -> list[str]:
    """Where Daphne listens: on the door itself, so that the port is ours without a gap."""
    if door.family == socket.AF_INET6:
        # Daphne takes over sockets of IPv4 only; this one closes as we turn into Daphne.
        host, port = door.getsockname()[:2]
        return ["--bind", host, "--port", str(port)]
    door.set_inheritable(True)
    return ["--fd", str(door.fileno())]
