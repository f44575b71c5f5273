"""The Python face of the loop: events as an async generator, or the answer as text."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import replace

from chat import events, transcript
from chat.agent.loop import Limits, run_agent
from chat.agent.ports import Provider, Toolbox
from chat.errors import ChatError
from chat.events import ChatEvent, Kind
from chat.text import say
from chat.transcript import ChatMessage

logger = logging.getLogger(__name__)


class StreamingChatAgent:
    """One agent with one model and one toolbox; remembers nothing between questions."""

    def __init__(
        self,
        provider: Provider,
        toolbox: Toolbox,
        *,
        max_iterations: int = 10,
        context_tokens: int = 0,
        system_prompt: str = "",
    ) -> None:
        self.provider = provider
        self.toolbox = toolbox
        self.limits = Limits(iterations=max_iterations, context_tokens=context_tokens)
        self.system_prompt = system_prompt

    async def stream_with_tools(
        self, message: str, history: Sequence[ChatMessage] = ()
    ) -> AsyncGenerator[ChatEvent, None]:
        """The events of one answer, numbered 1…n; the last one is `done` or `error`.

        Close the generator (or leave an `aclosing` block) to stop the model and the tools.
        """
        queue: asyncio.Queue[ChatEvent] = asyncio.Queue(maxsize=100)
        # The loop pushes into a queue: a generator must not yield inside the loop's own
        # task groups and timeouts (PEP 789).
        work = asyncio.create_task(self._push(message, history, queue))
        try:
            number = 0
            while True:
                event = await queue.get()
                number += 1
                yield replace(event, number=number)
                if event.is_terminal:
                    return
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work

    async def chat(self, message: str, history: Sequence[ChatMessage] = ()) -> str:
        """The final answer. Raises ChatError if the run failed."""
        async for event in self.stream_with_tools(message, history):
            if event.kind == Kind.ERROR:
                raise ChatError(event.data["message"], code=event.data["code"])
            if event.kind == Kind.DONE:
                return str(event.data["content"])
        raise ChatError(say("The answer broke off."))

    async def _push(
        self, message: str, history: Sequence[ChatMessage], queue: asyncio.Queue[ChatEvent]
    ) -> None:
        opening = [transcript.system(self.system_prompt)] if self.system_prompt else []
        try:
            await run_agent(
                [*opening, *history, transcript.user(message)],
                provider=self.provider,
                toolbox=self.toolbox,
                record=queue.put,
                limits=self.limits,
            )
        except ChatError as error:
            await queue.put(events.error(str(error), code=error.code))
        except Exception:
            logger.exception("The agent failed")
            await queue.put(
                events.error(say("Something went wrong in the agent."), code="INTERNAL")
            )
