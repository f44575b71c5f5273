"""MCP servers as values: how to reach one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


class Tokens(Protocol):
    """The access tokens of an authorisation, kept by somebody else. Equal where they are the same
    authorisation, whatever became of its tokens.
    """

    async def current(self) -> str:
        """The access token. Raises oauth.errors.Unauthorised."""
        ...

    async def renewed(self, rejected: str) -> str:
        """Another one than `rejected`, which the server did not take. Raises Unauthorised."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerConfig:
    """A server that speaks streamable HTTP at `url`, or stdio as a child: `command` with `args`.

    `headers` and `env` hold its own credentials, nobody else's. The deadlines are hard: nothing
    that a server does or leaves undone makes a run wait longer. A call may be silent for
    `call_timeout_seconds`, and last for `call_total_seconds` where it reports progress.
    `may_repeat`: after a crash, tools that say they are harmless may be called again.
    `tokens` come on top of them; where `is_personal`, they are one person's, and the connection
    serves nobody else. `may_be_private`: its address may lead to a private network, because the
    deployment wants it.
    """

    slug: str
    name: str
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tokens: Tokens | None = None
    is_personal: bool = False
    may_be_private: bool = False
    command: str = ""
    args: tuple[str, ...] = field(default=(), repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: str = ""
    # Of all that is above, what nobody may read: not in a log, not in the admin.
    secrets: tuple[str, ...] = field(default=(), repr=False)
    connect_timeout_seconds: float = 10
    call_timeout_seconds: float = 60
    call_total_seconds: float = 600
    wait_seconds: float = 5
    heartbeat_seconds: float = 30
    calls_at_once: int = 64
    may_repeat: bool = False
