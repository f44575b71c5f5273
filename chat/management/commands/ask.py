"""manage.py ask "…": the agent on the console, tokens and tool lines as they come."""

import asyncio
import json
import os
import sys
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from chat.events import ChatEvent, Kind
from chat.mcp.config import ServerConfig
from chat.mcp.demo.process import start_demo_server
from chat.runs.assembly import AgentConfig, create_agent


class Recording:
    """The responses of a model's API, word for word but for the key."""

    def __init__(self, api_key: str) -> None:
        self._key = api_key.encode()
        self._bodies: list[bytearray] = []

    def add(self, chunk: bytes) -> None:
        """More of the response; b"" begins the next one."""
        if not chunk:
            self._bodies.append(bytearray())
        self._bodies[-1] += chunk

    def write(self, path: Path) -> None:
        """The first response to `path`, the others beside it, numbered."""
        for number, body in enumerate(self._bodies, 1):
            file = path if number == 1 else path.with_name(f"{path.name}.{number}")
            file.write_bytes(bytes(body.replace(self._key, b"[key]") if self._key else body))


class Command(BaseCommand):
    help = "Ask the configured model one question, with the configured tools. Nothing is stored."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("question")
        parser.add_argument("--model", default="", help="another model than LLM_MODEL")
        parser.add_argument("--sse", action="store_true", help="print the raw frames")
        parser.add_argument(
            "--record",
            metavar="FILE",
            type=Path,
            help="write the bytes of the model's responses to FILE, FILE.2 …",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["question"].strip():
            raise CommandError("Please ask something.")
        config = AgentConfig.from_settings(model_name=options["model"])
        recording = Recording(settings.LLM_API_KEY)
        config = replace(config, on_bytes=recording.add)
        if settings.DEMO_MCP_SERVER and not settings.DEMO_MCP_URL:
            demo = start_demo_server()
            if demo is not None:
                server = ServerConfig(
                    slug="demo", name="Demo tools", url=demo.url, may_be_private=True
                )
                config = replace(config, servers=[server, *config.servers])
        try:
            is_good = asyncio.run(self._answer(config, options["question"], options["sse"]))
        except KeyboardInterrupt:
            raise CommandError("Stopped.") from None
        except BrokenPipeError:
            # Whoever was reading has left; the interpreter must not try once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return
        finally:
            if options["record"]:
                self._write(recording, options["record"])
        if not is_good:
            raise CommandError("The question was not answered.")

    @staticmethod
    def _write(recording: Recording, path: Path) -> None:
        try:
            recording.write(path)
        except OSError as error:
            raise CommandError(f"The recording could not be written: {error}") from error

    async def _answer(self, config: AgentConfig, question: str, as_frames: bool) -> bool:
        async with (
            await create_agent(config) as agent,
            aclosing(agent.stream_with_tools(question)) as events,
        ):
            async for event in events:
                text = event.to_sse() if as_frames else line_of(event)
                self.stdout.write(text, ending="")
                self.stdout.flush()
                if event.is_terminal:
                    return bool(event.kind == Kind.DONE)
        return False


def line_of(event: ChatEvent) -> str:
    """The event as a person reads it."""
    data = event.data
    match event.kind:
        case Kind.CONTENT:
            return str(data["content"])
        case Kind.TOOL_CALLS:
            calls = [f"{tool['name']} {json.dumps(tool['arguments'])}" for tool in data["tools"]]
            return "".join(f"→ {call}\n" for call in calls)
        case Kind.TOOL_RESULT:
            mark = "✗" if data["is_error"] else "←"
            return f"{mark} {data['tool']} ({data['duration_ms']} ms): {data['result'][:200]}\n"
        case Kind.NOTICE | Kind.ERROR:
            return f"! {data['message']}\n"
        case Kind.DONE:
            return "\n"
        case _:
            return ""
