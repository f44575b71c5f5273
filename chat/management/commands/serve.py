"""manage.py serve: everything under Daphne, on HOST and PORT."""

import os
import socket
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from chat.mcp.demo_process import start_demo_server

# Daphne gives open streams this long to end when it is asked to stop.
CLOSE_SECONDS = "5"


class Command(BaseCommand):
    help = "Start the server, and the demo tools with it. Ctrl-C stops both."

    def handle(self, *args: Any, **options: Any) -> None:
        port = free(settings.HOST, settings.PORT)
        environment = dict(os.environ)
        if settings.DEMO_MCP_SERVER and not settings.DEMO_MCP_URL:
            demo = start_demo_server()
            if demo is None:
                self.stderr.write("The demo tools did not start; going on without them.")
            else:
                environment["DEMO_MCP_URL"] = demo.url
                # Handed on to Daphne: when that ends, however, the demo server sees it.
                os.set_inheritable(demo.pipe, True)
        host = f"[{settings.HOST}]" if ":" in settings.HOST else settings.HOST
        shown = "127.0.0.1" if host in {"0.0.0.0", "[::]"} else host  # noqa: S104
        self.stdout.write(f"{settings.SITE_NAME} is running at http://{shown}:{port}/")
        self.stdout.write("Ctrl-C stops it.")
        self.stdout.flush()
        os.chdir(Path(settings.BASE_DIR))
        command = [sys.executable, "-m", "daphne", *daphne_options(port)]
        # The same process from here on: signals and exit codes are Daphne's own.
        os.execve(sys.executable, command, environment)  # noqa: S606


def daphne_options(port: int) -> list[str]:
    return [
        *("--bind", settings.HOST),
        *("--port", str(port)),
        *("--application-close-timeout", CLOSE_SECONDS),
        *("--access-log", os.devnull),
        *("--verbosity", "0"),
        # Who is behind the proxy; only asked for where there is one.
        *(("--proxy-headers",) if settings.HTTPS else ()),
        "chatsite.asgi:application",
    ]


def free(host: str, port: int) -> int:
    """The port, or a free one for 0. Raises CommandError with what to do if it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError as error:
            raise CommandError(
                f"Port {port} is for the system. Choose one above 1023: PORT=8000 make run"
            ) from error
        except (OSError, OverflowError) as error:
            raise CommandError(
                f"Port {port} on {host} cannot be used ({error}). Stop the program that uses it, "
                f"or choose another port: PORT={min(port + 1, 65535)} make run"
            ) from error
        return int(probe.getsockname()[1])
