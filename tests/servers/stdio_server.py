"""An MCP server on stdin and stdout that misbehaves on demand. Standard library only, so that it
starts at once; run as a program:

    stdio_server.py [--deaf] [--stubborn] [--notes FILE]

It writes its process id to the notes, and the name of each tool that begins. `--deaf`: it goes on
when its stdin ends. `--stubborn`: it ignores SIGTERM.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

Json = dict[str, Any]
TOOLS = (
    *("echo", "who", "environment", "hang", "die", "big", "shout", "chatter"),
    *("raise_child", "leave_child_and_die", "close_stdout", "close_stdin"),
)
SLEEPER = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--deaf", action="store_true")
    parser.add_argument("--stubborn", action="store_true")
    parser.add_argument("--notes", type=Path, default=Path(os.devnull))
    options = parser.parse_args()
    if options.stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note(options.notes, str(os.getpid()))
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message:
            answer(message, options.notes)
    while options.deaf:
        time.sleep(0.05)


def note(notes: Path, text: str) -> None:
    with notes.open("a") as file:
        file.write(text + "\n")


def answer(message: Json, notes: Path) -> None:
    match message["method"]:
        case "initialize":
            say(message, {**GREETING, "protocolVersion": "2025-11-25"})
        case "tools/list":
            say(message, {"tools": [{"name": n, "inputSchema": {"type": "object"}} for n in TOOLS]})
        case "tools/call":
            name = message["params"]["name"]
            note(notes, name)
            call(message, name, message["params"].get("arguments") or {})
        case _:
            error = {"code": -32601, "message": "Method not found"}
            send({"jsonrpc": "2.0", "id": message["id"], "error": error})


GREETING = {"capabilities": {"tools": {}}, "serverInfo": {"name": "stdio", "version": "1"}}


def call(message: Json, name: str, arguments: Json) -> None:  # noqa: C901 (one case a tool)
    text = "fine"
    match name:
        case "echo":
            text = arguments["text"]
        case "who":
            text = str(os.getpid())
        case "environment":
            text = json.dumps(dict(os.environ))
        case "hang":
            return
        case "die":
            print(arguments.get("text", ""), file=sys.stderr, flush=True)
            os._exit(7)
        case "big":
            big(message, arguments)
            return
        case "shout":
            for number in range(arguments["lines"]):
                sys.stderr.write(f"{arguments.get('text', 'noise')} {number}\n")
            sys.stderr.flush()
        case "chatter":
            sys.stdout.write("\u00e9" * arguments.get("characters", 0))
            sys.stdout.write('Welcome!\n\n{"no": "message"}\n\xff\n[1, 2]\n')
        case "raise_child" | "leave_child_and_die":
            # It inherits our stdout and keeps it open.
            text = str(subprocess.Popen(SLEEPER, stdin=subprocess.DEVNULL).pid)
            if name == "leave_child_and_die":
                os._exit(7)
        case "close_stdout":
            os.close(1)
            return
        case "close_stdin":
            os.close(0)
    say(message, {"content": [{"type": "text", "text": text}]})


def big(message: Json, arguments: Json) -> None:
    """One line of so many megabytes, with its id before the result or after it."""
    text = "x" * (arguments["megabytes"] << 20)
    result = f'"result":{{"content":[{{"type":"text","text":"{text}"}}]}}'
    identity = f'"id":{message["id"]}'
    parts = [result, identity] if arguments["id_last"] else [identity, result]
    sys.stdout.write('{"jsonrpc":"2.0",' + ",".join(parts) + "}\n")
    sys.stdout.flush()


def say(message: Json, result: Json) -> None:
    send({"jsonrpc": "2.0", "id": message["id"], "result": result})


def send(message: Json) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
