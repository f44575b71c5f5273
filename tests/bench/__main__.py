"""python -m tests.bench [SHAPE …]: runs the shapes, S2 by default, and prints a table of each."""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.bench import servers
from tests.bench.idle import Idle
from tests.bench.load import Result
from tests.bench.report import print_idle, print_lengths, print_shape
from tests.bench.servers import Running
from tests.bench.shapes import SHAPES, Shape
from tests.servers.bare_mcp_server import BareMCPServer
from tests.servers.site import ROOT

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
NAMES = ("S1", "S2", "S3", "S4", "S5", "length", "idle")
ECHO = {"name": "echo", "description": "Says fine.", "inputSchema": {"type": "object"}}


def main() -> None:
    names = sys.argv[1:] or ["S2"]
    if unknown := sorted(set(names) - set(NAMES)):
        raise SystemExit(f"No shape {unknown[0]}; there are: {' '.join(NAMES)}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        base_url = stack.enter_context(servers.model())
        mcp_server = stack.enter_context(BareMCPServer([ECHO]))
        addresses = {"LLM_BASE_URL": base_url, "MCP_SERVER_URL": mcp_server.url}
        relay = stack.enter_context(servers.relay(base_url))
        ours = [
            stack.enter_context(servers.ferryline(name, folder, **addresses))
            for name in ("daphne", "uvicorn")
        ]
        good = [run(name, relay, ours) for name in names]
    sys.exit(0 if all(good) else 1)


def run(name: str, relay: Running, ours: list[Running]) -> bool:
    """Whether every stream was right."""
    if name == "idle":
        return print_idle([(server, idle(server)) for server in ours])
    if name == "length":
        short, long = (rounds(SHAPES[name], ours) for name in ("short", "long"))
        return print_lengths(ours, short, long)
    return print_shape(SHAPES[name], [relay, *ours], rounds(SHAPES[name], [relay, *ours]))


def rounds(shape: Shape, among: list[Running]) -> list[list[Result]]:
    """Of each round the results of all servers, which take turns."""
    for server in among:
        load(SHAPES["warm"], server)
    return [[load(shape, server) for server in among] for _ in range(ROUNDS)]


def load(shape: Shape, server: Running) -> Result:
    conversations: list[str] = []
    if shape.history:
        conversations = _python("history", shape.history, shape.streams, server=server).split()
    arguments = (shape.name, server.url, server.pid, *conversations)
    return Result(**json.loads(_python("load", *arguments, server=server)))


def idle(server: Running) -> Idle:
    return Idle(**json.loads(_python("idle", server.url, server.pid, server=server)))


def _python(module: str, *arguments: object, server: Running) -> str:
    """What a module of ours prints in a process of its own."""
    command = [sys.executable, "-m", f"tests.bench.{module}", *map(str, arguments)]
    environment = {**os.environ, **server.environment, "BENCH_TOKEN": server.token}
    return subprocess.check_output(command, cwd=ROOT, env=environment, text=True)


if __name__ == "__main__":
    main()
