"""Credentials by name: `${GITHUB_TOKEN}` in a configuration stands for a variable's value."""

import re
from collections.abc import Collection, Iterator, Mapping

NAME = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
# Those say how a request is made, or are the protocol's own.
_OF_THE_CONNECTION = frozenset(
    {
        *("accept", "accept-encoding", "connection", "content-encoding", "content-length"),
        *("content-type", "expect", "host", "keep-alive", "last-event-id", "te", "trailer"),
        *("transfer-encoding", "upgrade"),
    }
)


def is_set_by_connection(header: str) -> bool:
    """Whether a header of that name is not for anybody to configure."""
    name = header.lower()
    return name in _OF_THE_CONNECTION or name.startswith(("mcp-", "proxy-"))


def filled_in(text: str, variables: Mapping[str, str]) -> str:
    """The text with the values in place of the names; a name without a value stands for ""."""
    return NAME.sub(lambda found: variables.get(found[1], ""), text)


def missing_in(text: str, variables: Mapping[str, str]) -> Iterator[str]:
    """The names in the text that have no value."""
    return (name for name in NAME.findall(text) if name not in variables)


def masked(text: str, secrets: Collection[str]) -> str:
    """The text with "…" in place of each of the secrets."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "…")
    return text
