"""Questions of a server to the person whose call it executes (elicitation).

https://modelcontextprotocol.io/specification/2025-11-25/client/elicitation
"""

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

import mcp.types
from mcp import MCPError
from mcp.client import ClientRequestContext
from mcp.shared.exceptions import UrlElicitationRequiredError
from mcp.types import URL_ELICITATION_REQUIRED

from chat.text import visible

MAX_MESSAGE_CHARACTERS = 4_000
MAX_ADDRESSES = 5
MAX_QUESTIONS = 20
MAX_SCHEMA_CHARACTERS = 64 << 10
MAX_URL_CHARACTERS = 2_000
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
Pause = Callable[[], AbstractAsyncContextManager[None]]


@dataclass(slots=True)
class _Listener:
    """Who answers the questions of one call, and what stands still meanwhile."""

    ask: OnQuestion | None
    pause: Pause
    asked: int = 0


# The SDK carries a call's context to the questions that come with its answer.
_current: ContextVar[_Listener | None] = ContextVar("mcp_call", default=None)


class Questions:
    """Brings each question to the call that it belongs to."""

    def __init__(self) -> None:
        self._listeners: list[_Listener] = []
        self._has_abandoned = False

    @contextmanager
    def go_to(self, ask: OnQuestion | None, pause: Pause) -> Iterator[None]:
        """Questions that come with the call in this block go to `ask`."""
        listener = _Listener(ask, pause)
        token = _current.set(listener)
        self._listeners.append(listener)
        try:
            yield
        except BaseException:
            self._has_abandoned = True
            raise
        finally:
            self._listeners = [one for one in self._listeners if one is not listener]
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
        if listener.asked == MAX_QUESTIONS:
            return mcp.types.ElicitResult(action="cancel")
        listener.asked += 1
        async with listener.pause():
            answer = await listener.ask(question)
        content = dict(answer.content) if answer.action == "accept" and question.schema else None
        return mcp.types.ElicitResult(action=answer.action, content=content)

    def _listener(self) -> _Listener | None:
        found = _current.get()
        if found is not None:
            return found if any(one is found for one in self._listeners) else None
        # Over stdio nothing tells to which call a question belongs. Only a single one is sure,
        # and only while no other was left behind that may still ask.
        is_sure = len(self._listeners) == 1 and not self._has_abandoned
        return self._listeners[0] if is_sure else None


def _question(params: mcp.types.ElicitRequestParams) -> Question | None:
    message = visible(params.message, MAX_MESSAGE_CHARACTERS)
    if isinstance(params, mcp.types.ElicitRequestURLParams):
        return Question(message=message, url=params.url) if _is_safe(params.url) else None
    schema = dict(params.requested_schema)
    try:
        # Infinity, as which 1e999 is read, could not be stored.
        is_short = len(json.dumps(schema, allow_nan=False)) <= MAX_SCHEMA_CHARACTERS
    except (ValueError, RecursionError):
        return None
    return Question(message=message, schema=schema) if is_short else None


def _is_safe(url: str) -> bool:
    """Encrypted, with a host that a person can read and no name that looks like one."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    is_plain = len(url) <= MAX_URL_CHARACTERS and url == visible(url)
    return parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc and is_plain
