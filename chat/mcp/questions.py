"""Questions of a server to the person whose call it executes (elicitation).

https://modelcontextprotocol.io/specification/2025-11-25/client/elicitation
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

import mcp.types
from mcp import MCPError
from mcp.client import ClientRequestContext
from mcp.shared.exceptions import UrlElicitationRequiredError
from mcp.types import URL_ELICITATION_REQUIRED

from chat.mcp.naming import visible

MAX_MESSAGE_CHARACTERS = 4_000
MAX_ADDRESSES = 5
Action = Literal["accept", "decline", "cancel"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """`schema` for a form, else the `url` that the person is to open. Untrusted, but bounded."""

    message: str
    schema: Mapping[str, Any] | None = None
    url: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    action: Action
    content: Mapping[str, Any] = field(default_factory=dict)


OnQuestion = Callable[[Question], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class _Listener:
    """Who answers the questions of one call, and what stands still meanwhile."""

    ask: OnQuestion | None
    pause: Callable[[], AbstractContextManager[None]]


# The SDK carries a call's context to the questions that come with its answer.
_current: ContextVar[_Listener | None] = ContextVar("mcp_call", default=None)


class Questions:
    """Brings each question to the call that it belongs to."""

    def __init__(self) -> None:
        self._listeners: list[_Listener] = []

    @contextmanager
    def go_to(
        self, ask: OnQuestion | None, pause: Callable[[], AbstractContextManager[None]]
    ) -> Iterator[None]:
        """Questions that come with the call in this block go to `ask`."""
        listener = _Listener(ask, pause)
        token = _current.set(listener)
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)
            _current.reset(token)

    async def opened_all(self, error: MCPError) -> bool:
        """Whether a call was refused until the person has opened addresses, and they all were."""
        if error.code != URL_ELICITATION_REQUIRED:
            return False
        try:
            asked = UrlElicitationRequiredError.from_error(error.error).elicitations
        except ValueError:
            return False
        for params in asked[:MAX_ADDRESSES]:
            if (await self.on_elicitation(None, params)).action != "accept":
                return False
        return 0 < len(asked) <= MAX_ADDRESSES

    async def on_elicitation(
        self, context: ClientRequestContext | None, params: mcp.types.ElicitRequestParams
    ) -> mcp.types.ElicitResult:
        """The SDK's callback. A question that nobody can be asked is cancelled."""
        listener = self._listener()
        question = _question(params)
        if listener is None or listener.ask is None or question is None:
            return mcp.types.ElicitResult(action="cancel")
        with listener.pause():
            answer = await listener.ask(question)
        content = dict(answer.content) if answer.action == "accept" and question.schema else None
        return mcp.types.ElicitResult(action=answer.action, content=content)

    def _listener(self) -> _Listener | None:
        found = _current.get()
        if found in self._listeners:
            return found
        # Over stdio nothing tells to which call a question belongs: only a single one is sure.
        return self._listeners[0] if len(self._listeners) == 1 else None


def _question(params: mcp.types.ElicitRequestParams) -> Question | None:
    message = visible(params.message)[:MAX_MESSAGE_CHARACTERS]
    if isinstance(params, mcp.types.ElicitRequestURLParams):
        # The person opens it; what is not encrypted is not worth to be asked for.
        is_safe = urlsplit(params.url).scheme == "https"
        return Question(message=message, url=params.url) if is_safe else None
    schema = params.requested_schema
    return Question(message=message, schema=schema if isinstance(schema, dict) else dict(schema))
