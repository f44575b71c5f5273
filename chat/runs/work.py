"""A run as a task of this process."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from chat.runs.tools.servers import Access


@dataclass(slots=True)
class Work:
    """One run in this process. Stopped before it is cancellable, it ends before it begins.

    `access`: the tools that it may use, where they were read along with its start.
    """

    run_id: UUID
    access: Access | None = None
    task: asyncio.Task[None] | None = None
    is_claimed: asyncio.Event = field(default_factory=asyncio.Event)
    is_cancellable: bool = False
    is_stopping: bool = False
    is_leaving: bool = False
    close: Callable[[], None] = lambda: None
    # Whether nothing happens in it until a person decides.
    waits_only: Callable[[], bool] = lambda: False

    def stop(self) -> None:
        """Cancel the run, once: the model's request is closed and running tools are cancelled."""
        if not self.is_stopping and self.is_cancellable and self.task:
            self.task.cancel()
        self.is_stopping = True

    def leave(self) -> None:
        """End it here and now, without an ending: another process goes on with it."""
        self.is_leaving = True
        # First: what happens because of this is not what happened in the run.
        self.close()
        if self.task:
            self.task.cancel()
