"""The process of a stdio server: how it starts, why it ended, and that it is gone afterwards."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from asyncio.subprocess import PIPE, Process, SubprocessStreamProtocol
from collections.abc import Mapping
from pathlib import Path

from mcp.client.stdio import get_default_environment

from chat.mcp.config import ServerConfig
from chat.mcp.stdio import launch
from chat.mcp.stdio.relay import Relay

CHUNK_BYTES = 65_536
# To end by itself once its stdin is closed; after SIGTERM; to be seen dead. Less in all than an
# owner has for closing.
EOF_SECONDS, TERM_SECONDS, KILL_SECONDS = 1.5, 1, 0.5
LAST_WORDS_SECONDS = 0.5
LINGER_SECONDS = 0.25


class _Protocol(SubprocessStreamProtocol):
    """asyncio's own; it waits for the process alone, where asyncio's wait may be for pipes too
    (which a child of the child may hold open).
    """

    def __init__(self) -> None:
        super().__init__(limit=CHUNK_BYTES, loop=asyncio.get_running_loop())
        self.has_exited = asyncio.Event()

    def process_exited(self) -> None:
        super().process_exited()
        self.has_exited.set()


async def start(config: ServerConfig) -> "Child":
    """Start the server's command. Raises ConnectionError with what an admin can do about it.

    It gets the variables that the SDK deems harmless and its own `env`, nothing of our settings.
    It leads a process group, which a Ctrl-C in our terminal does not reach.
    """
    environment = get_default_environment() | dict(config.env)
    argv = [_executable(config, environment), *config.args]
    if sys.platform == "linux":
        argv = [*launch.COMMAND, str(os.getpid()), *argv]
    loop = asyncio.get_running_loop()
    try:
        transport, protocol = await loop.subprocess_exec(
            _Protocol,
            *argv,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=environment,
            cwd=config.cwd or None,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise ConnectionError(f"{config.command} cannot be started: {_words(error)}") from error
    return Child(config, Process(transport, protocol, loop), transport, protocol)


class Child:
    """A running server. `end` it, whatever happens."""

    def __init__(
        self,
        config: ServerConfig,
        process: Process,
        transport: asyncio.SubprocessTransport,
        protocol: _Protocol,
    ) -> None:
        self.slug = config.slug
        self.relay = Relay(config.slug, config.secrets)
        self._transport = transport
        self._has_exited = protocol.has_exited
        self._process = process
        assert process.stdin  # noqa: S101 (opened as pipes)
        assert process.stdout  # noqa: S101
        assert process.stderr  # noqa: S101
        self._stdin, self._stdout = process.stdin, process.stdout
        self._relaying = asyncio.ensure_future(self.relay.follow(process.stderr))
        self._watching = asyncio.ensure_future(self._watch())

    async def read(self) -> bytes:
        """The next bytes of its stdout; empty at the end, and soon after it has died."""
        return await self._stdout.read(CHUNK_BYTES)

    async def write(self, line: bytes) -> None:
        """Raises OSError where it does not listen any more."""
        self._stdin.write(line)
        await self._stdin.drain()

    async def why_it_ended(self) -> str:
        """In words, with the last that it said."""
        await self._exits_within(LAST_WORDS_SECONDS)
        await asyncio.wait({self._relaying}, timeout=LAST_WORDS_SECONDS)
        match self._process.returncode:
            case None:
                reason = "it closed its output"
            case code if code < 0:
                reason = f"it was ended by {signal.Signals(-code).name}"
            case code:
                reason = f"it ended with exit code {code}"
        return f"{reason}: {self.relay.last_words}" if self.relay.last_words else reason

    async def end(self) -> None:
        """Ask it to end, then make it, with all of its process group; also when cancelled."""
        try:
            self._stdin.close()
            if not await self._exits_within(EOF_SECONDS):
                self._signal(signal.SIGTERM)
                await self._exits_within(TERM_SECONDS)
        finally:
            # What it started may live on without it.
            self._signal(signal.SIGKILL)
            try:
                await self._exits_within(KILL_SECONDS)
                await asyncio.wait({self._relaying}, timeout=LAST_WORDS_SECONDS)
            finally:
                self._transport.close()
                self._relaying.cancel()
                self._watching.cancel()

    async def _watch(self) -> None:
        """Whatever it left behind may hold its stdout open; we wait for no more of it."""
        await self._has_exited.wait()
        await asyncio.sleep(LINGER_SECONDS)
        if stdout := self._transport.get_pipe_transport(1):
            stdout.close()

    async def _exits_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._has_exited.wait()
        return self._has_exited.is_set()

    def _signal(self, number: int) -> None:
        # The group has the number of its leader, who was the first in it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


def _executable(config: ServerConfig, environment: Mapping[str, str]) -> str:
    """Its whole path. Looked up here, because words of ours are better than an errno."""
    command = config.command
    if config.cwd and not Path(config.cwd).is_dir():
        raise ConnectionError(f"its folder {config.cwd} does not exist")
    if "/" in command:
        command = os.path.abspath(os.path.join(config.cwd, command))
    if found := shutil.which(command, path=environment.get("PATH")):
        return found
    if "/" not in command:
        raise ConnectionError(
            f"there is no command {command} on the PATH of the server; install it, or write its "
            "whole path"
        )
    if os.path.exists(command):
        raise ConnectionError(f"{command} is not executable; chmod +x makes it so")
    raise ConnectionError(f"there is no file {command}")


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
