"""Tool definitions from outside, made fit for a model's API. Untrusted: bounded and cleaned."""

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import replace

import mcp.types

from chat.mcp.config import ServerConfig
from chat.mcp.definitions import Catalog, schema_of
from chat.text import visible
from chat.tools import Tool

# What APIs of models take in one request.
MAX_TOOLS = 128
MAX_DESCRIPTION_CHARACTERS = 4_000
MAX_TITLE_CHARACTERS = 200
MAX_NAME_CHARACTERS = 64
_UNFIT = re.compile(r"[^a-zA-Z0-9_-]")


def prepared(config: ServerConfig, catalog: Catalog) -> tuple[Tool, ...]:
    """A server's tools, cleaned once for all runs; their names may still be those of others."""
    return tuple(
        Tool(
            name=_fit(definition.name),
            description=visible(definition.description or "", MAX_DESCRIPTION_CHARACTERS),
            input_schema=schema_of(definition),
            server=config.slug,
            server_name=config.name,
            remote_name=definition.name,
            title=_title(definition),
            fingerprint=catalog.fingerprints[definition.name],
            may_repeat=config.may_repeat and _is_harmless(definition),
            is_read_only=bool(hints and hints.read_only_hint),
            is_destructive=bool(hints and hints.destructive_hint),
        )
        for definition in catalog.definitions
        for hints in (definition.annotations,)
    )


def offered_tools(of_servers: Sequence[Sequence[Tool]]) -> list[Tool]:
    """The tools of all servers, MAX_TOOLS at most, each under a name of its own.

    Where two servers use one name, both get their server's slug before it.
    """
    names = Counter(name for tools in of_servers for name in {tool.name for tool in tools})
    offered: dict[str, Tool] = {}
    for tool in itertools.chain.from_iterable(of_servers):
        name = _fit(f"{tool.server}_{tool.name}") if names[tool.name] > 1 else tool.name
        name = _free(name, offered)
        offered[name] = tool if name == tool.name else replace(tool, name=name)
        if len(offered) == MAX_TOOLS:
            break
    return list(offered.values())


def _is_harmless(definition: mcp.types.Tool) -> bool:
    """What the server says of it; a hint suggests, and an admin has to agree."""
    hints = definition.annotations
    return bool(hints and (hints.read_only_hint or hints.idempotent_hint))


def _title(definition: mcp.types.Tool) -> str:
    hinted = definition.annotations.title if definition.annotations else None
    return visible(definition.title or hinted or "", MAX_TITLE_CHARACTERS)


def _free(name: str, taken: Container[str]) -> str:
    free, number = name, 2
    while free in taken:
        free = f"{name[: MAX_NAME_CHARACTERS - 4]}_{number}"
        number += 1
    return free


def _fit(name: str) -> str:
    fit = _UNFIT.sub("_", name) or "tool"
    if len(fit) <= MAX_NAME_CHARACTERS:
        return fit
    mark = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:8]
    return f"{fit[: MAX_NAME_CHARACTERS - 9]}_{mark}"
