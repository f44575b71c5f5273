"""An ASGI application on a port of this machine, served by a thread of the test's own process."""

import asyncio
import threading
import time

import uvicorn
from starlette.types import ASGIApp

START_SECONDS = 10
STOP_SECONDS = 5


class Threaded:
    """Once it is stopped nothing of it is open, and its port is free again."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=asyncio.run, args=[self._serve()], daemon=True)

    def start(self) -> None:
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)

    def stop(self) -> None:
        """End at once, also what is being answered."""
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(STOP_SECONDS)
        assert not self._thread.is_alive(), "the server did not stop"

    async def _serve(self) -> None:
        await self._server.serve()
        # Else what is being answered stays open until it is collected, in some other test.
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)
