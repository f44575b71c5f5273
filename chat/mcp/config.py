"""MCP servers as values: how to reach one, and what was last seen of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

State = Literal["unknown", "connecting", "ready", "down"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerConfig:
    """A server that speaks streamable HTTP at `url`. Headers hold its credentials, nobody else's.

    The deadlines are hard: nothing that a server does or leaves undone makes a run wait longer.
    """

    slug: str
    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    connect_timeout_seconds: float = 10
    call_timeout_seconds: float = 60
    wait_seconds: float = 5
    heartbeat_seconds: float = 30
    calls_at_once: int = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerHealth:
    """What an admin can read: `reason` says why it is down."""

    slug: str
    state: State
    reason: str = ""
    protocol_version: str = ""
    tool_names: tuple[str, ...] = ()
