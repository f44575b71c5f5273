"""Starts the demo MCP server as a process that cannot outlive us, however we end."""

import os
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass

START_SECONDS = 20


@dataclass(slots=True)
class DemoServer:
    """A running demo server. It ends when its standard input, our end of a pipe, closes."""

    url: str
    process: subprocess.Popen[bytes]

    @property
    def pipe(self) -> int:
        """Keep this file descriptor open for as long as the server shall live."""
        assert self.process.stdin  # noqa: S101 (opened as a pipe)
        return self.process.stdin.fileno()


def start_demo_server() -> DemoServer | None:
    """None if it does not come up within START_SECONDS."""
    process = subprocess.Popen(
        [sys.executable, "-m", "chat.mcp.demo.server", "--port", "0", "--exit-on-stdin-eof"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # A Ctrl-C in the terminal is for us; we end it.
        process_group=0,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    url = None
    try:
        url = _ready_line(process)
    finally:
        # Also when we are interrupted while we wait for it.
        if url is None:
            process.kill()
            process.wait()
    return DemoServer(url, process) if url else None


def _ready_line(process: subprocess.Popen[bytes]) -> str | None:
    assert process.stdout  # noqa: S101 (opened as a pipe)
    deadline, line = time.monotonic() + START_SECONDS, b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not line.endswith(b"\n") and time.monotonic() < deadline:
            if selector.select(timeout=0.5):
                piece = os.read(process.stdout.fileno(), 1024)
                if not piece:
                    return None
                line += piece
    word, _, url = line.decode("utf-8", "replace").strip().partition(" ")
    return url if word == "READY" else None
