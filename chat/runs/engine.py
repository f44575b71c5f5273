"""What one process needs to run answers: journal, MCP hub, HTTP client, tasks.

There is one engine per event loop, made on first use: Django's ASGI handler has no lifespan.
"""

import asyncio
import logging
import weakref
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings

from chat.agent.ports import Provider
from chat.mcp.hub import Hub
from chat.mcp.toolbox import HubToolbox
from chat.models import Conversation
from chat.providers.http import create_http_client
from chat.runs.journal import Journal
from chat.runs.model_api import configured_provider
from chat.runs.moves import Moves
from chat.runs.pool import in_pool
from chat.runs.tools.offers import offered
from chat.runs.tools.servers import Access, read_access
from chat.runs.tools.states import ServerStates
from chat.runs.work import Work

logger = logging.getLogger(__name__)

_engines: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Engine]" = (
    weakref.WeakKeyDictionary()
)


def engine() -> "Engine":
    """The engine of the running event loop, closed or not."""
    loop = asyncio.get_running_loop()
    if loop not in _engines:
        _engines[loop] = Engine()
    return _engines[loop]


class Engine:
    """Owns its parts: whoever closes the engine closes all of them."""

    def __init__(self) -> None:
        self.http = create_http_client()
        self._providers: dict[str, Provider] = {}
        self.states = ServerStates()
        self.hub = Hub(on_state=self.states.changed)
        self.moves = Moves(settings.REDIS_URL)
        self.journal = Journal(self.stop, on_stored=self.moves.tell, on_lost=self.lose)
        self.works: dict[UUID, Work] = {}
        # Runs that are about to be ours: questions being stored, orphans being taken over.
        self.beginnings: set[asyncio.Task[Any]] = set()
        self.waiting_inputs: dict[UUID, asyncio.Event] = {}
        # By tool run: calls that wait for a person's approval.
        self.waiting_approvals: dict[UUID, asyncio.Event] = {}
        self.is_leaving = False
        # Open event streams.
        self.readers = 0
        self.tasks: list[asyncio.Task[None]] = []

    def stop(self, run_id: UUID) -> None:
        """Stop a run if it lives in this process."""
        if work := self.works.get(run_id):
            work.stop()

    def lose(self, run_id: UUID) -> None:
        """End what is left here of a run that another process has taken over."""
        if work := self.works.get(run_id):
            work.leave()

    def provider(self, model_name: str) -> Provider:
        """The configured language model. Raises ConfigurationError."""
        # Kept: a provider remembers what its endpoint was found to want.
        if model_name not in self._providers:
            self._providers[model_name] = configured_provider(model_name, self.http)
        return self._providers[model_name]

    async def toolbox(self, conversation: Conversation, access: Access | None = None) -> HubToolbox:
        """The tools that a conversation may use; `access`: where it was just read."""
        if access is None:
            access = await in_pool(read_access, conversation)
        self.hub.configure(access.configs)
        choose = partial(offered, access, self.states)
        return self.hub.open_toolbox(access.slugs, choose, access.personal)

    async def aclose(self) -> None:
        """What runs said until now is stored; connections are closed. Nothing begins any more."""
        self.is_leaving = True
        await self.journal.aclose()
        await self.moves.aclose()
        await self.hub.aclose()
        await self.http.aclose()
