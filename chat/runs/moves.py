"""News between processes: which runs moved. Nothing depends on its arrival.

Readers of a run that lives in another process look for its events twice a second; where there is
Redis, this tells them when. What moved is read from rows: news are a hint, and a lost one costs
the wait until the next look. Knows no database.
"""

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

logger = logging.getLogger(__name__)

CHANNEL = "ferryline.moves"
ID_BYTES = 16
TELL_SECONDS = 0.01
# While nobody listens. Who begins to, is told this much later.
TELL_NOBODY_SECONDS = 0.2
# As often do news make all readers of a process together look at most: each look is two queries.
LOOKS_PER_SECOND = 400
# A Redis that says nothing for so long is away.
TIMEOUT_SECONDS = 2
AGAIN_SECONDS = 0.5
CANCEL_AGAIN_SECONDS = 0.1


class Moves:
    """Tells other processes which runs moved here, and readers here which moved there.

    One connection for each direction; the one that listens is there while there are readers
    who need it. Without a `url` nothing is told, and nobody is told anything.
    """

    def __init__(self, url: str) -> None:
        self._redis = _connection_to(url) if url else None
        self._moved: set[UUID] = set()
        self._has_moved = asyncio.Event()
        self._ears: dict[UUID, set[Ear]] = {}
        self._is_heard = False
        self._failing: set[str] = set()
        self._teller: asyncio.Task[None] | None = None
        self._listener: asyncio.Task[None] | None = None

    def tell(self, run_ids: Iterable[UUID]) -> None:
        """Other processes will know, a moment later. Never waits and never fails."""
        if self._redis is None:
            return
        self._moved.update(run_ids)
        self._has_moved.set()
        if self._teller is None:
            self._teller = _spawn(self._tell(self._redis), "moves: tell")

    def listen(self, ear: "Ear") -> bool:
        """Have `ear` hear of its run, from a moment later on; whether that is new."""
        ears = self._ears.setdefault(ear.run_id, set())
        is_new = ear not in ears
        ears.add(ear)
        if self._redis and self._listener is None:
            self._listener = _spawn(self._listen(self._redis), "moves: listen")
        return is_new

    def leave(self, ear: "Ear") -> None:
        ears = self._ears.get(ear.run_id, set())
        ears.discard(ear)
        if not ears:
            self._ears.pop(ear.run_id, None)

    @property
    def pause_seconds(self) -> float:
        """How long each reader leaves between two looks, so that all of them keep the bound."""
        return sum(map(len, self._ears.values())) / LOOKS_PER_SECOND

    async def aclose(self) -> None:
        tasks = {task for task in (self._teller, self._listener) if task}
        while tasks:
            for task in tasks:
                task.cancel()
            # Again: the client waits by Python 3.11's wait_for, which forgets that it was cancelled
            # where what it waits for has just come.
            _, tasks = await asyncio.wait(tasks, timeout=CANCEL_AGAIN_SECONDS)
        if self._redis:
            await self._redis.aclose()

    async def _tell(self, redis: "Redis") -> None:
        while True:
            await self._has_moved.wait()
            self._has_moved.clear()
            moved, self._moved = self._moved, set()
            async with self._trouble_costs_this_only("telling"):
                heard = await redis.publish(CHANNEL, b"".join(one.bytes for one in moved))
                # We hear ourselves, too.
                self._is_heard = heard > (self._listener is not None)
            await asyncio.sleep(TELL_SECONDS if self._is_heard else TELL_NOBODY_SECONDS)

    async def _listen(self, redis: "Redis") -> None:
        try:
            while self._ears:
                async with self._trouble_costs_this_only("listening"), redis.pubsub() as news:
                    await news.subscribe(CHANNEL)
                    await self._hear(news)
        finally:
            self._listener = None

    async def _hear(self, news: "PubSub") -> None:
        """Return when nobody listens any longer. Raises when the connection turns out dead."""
        is_asked = False
        while self._ears:
            message = await news.get_message(timeout=TIMEOUT_SECONDS)
            if message is None and is_asked:
                raise TimeoutError("Redis does not answer")
            if is_asked := message is None:
                await news.ping()
            elif message["type"] == "message":
                self._wake(message["data"])

    def _wake(self, data: bytes) -> None:
        for at in range(0, len(data), ID_BYTES):
            for ear in self._ears.get(UUID(bytes=data[at : at + ID_BYTES]), ()):
                ear.hear()

    @asynccontextmanager
    async def _trouble_costs_this_only(self, what: str) -> AsyncIterator[None]:
        """Redis may fail in many ways; each is said once, and tried again a moment later."""
        try:
            yield
        except Exception as error:
            if what not in self._failing:
                logger.warning("News between processes (%s): %r", what, error)
            self._failing.add(what)
            await asyncio.sleep(AGAIN_SECONDS)
        else:
            self._failing.discard(what)


class Ear:
    """A reader's, for news of one run. Use it as a context manager."""

    def __init__(self, moves: Moves, run_id: UUID) -> None:
        self.run_id = run_id
        self._news = asyncio.Event()
        self._moves = moves

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._moves.leave(self)

    def forget(self) -> None:
        """To be called before each look: what happens from now on is news."""
        self._news.clear()

    def hear(self) -> None:
        self._news.set()

    async def wait(self, seconds: float) -> None:
        """Return when there are news, or after `seconds`; at once where it had not listened yet."""
        if self._moves.listen(self):
            return
        pause = min(seconds, self._moves.pause_seconds)
        await asyncio.sleep(pause)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds - pause):
                await self._news.wait()


def _connection_to(url: str) -> "Redis":
    # Most run without Redis: its client takes 5 MB of memory.
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    return Redis.from_url(
        url,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


def _spawn(coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    # A request's context would live as long as the process.
    return asyncio.get_running_loop().create_task(
        coroutine, name=name, context=contextvars.Context()
    )
