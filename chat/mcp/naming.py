"""Tool definitions from outside, made fit for a model's API. Untrusted: bounded and cleaned."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Container, Sequence

import mcp.types

from chat.mcp.config import ServerConfig
from chat.mcp.definitions import usable_schema
from chat.text import clean
from chat.tools import Tool

MAX_TOOLS = 128
MAX_DESCRIPTION_CHARACTERS = 4_000
MAX_NAME_CHARACTERS = 64
_UNFIT = re.compile(r"[^a-zA-Z0-9_-]")


def offered_tools(
    catalogs: Sequence[tuple[ServerConfig, Sequence[mcp.types.Tool]]],
) -> list[Tool]:
    """The tools of all servers under names of their own; each knows its server and its name there.

    Where two servers use one name, both get their server's slug before it.
    """
    names = Counter(_fit(definition.name) for _, all_of in catalogs for definition in all_of)
    tools: dict[str, Tool] = {}
    for config, definitions in catalogs:
        for definition in definitions[:MAX_TOOLS]:
            is_shared = names[_fit(definition.name)] > 1
            name = f"{config.slug}_{definition.name}" if is_shared else definition.name
            tool = _offered(definition, config, _free_name(name, tools))
            if tool is not None:
                tools[tool.name] = tool
    return list(tools.values())


def _offered(definition: mcp.types.Tool, config: ServerConfig, name: str) -> Tool | None:
    schema = usable_schema(definition.input_schema)
    if schema is None:
        return None
    return Tool(
        name=name,
        description=visible(definition.description or "")[:MAX_DESCRIPTION_CHARACTERS],
        input_schema=schema,
        server=config.slug,
        server_name=config.name,
        remote_name=definition.name,
        title=_title(definition),
    )


def visible(text: str) -> str:
    """Without characters that a person would not see and a model would read."""
    kept = (
        c for c in clean(text) if c in "\n\t" or unicodedata.category(c) not in {"Cf", "Cc", "Co"}
    )
    return "".join(kept)


def _title(definition: mcp.types.Tool) -> str:
    hinted = definition.annotations.title if definition.annotations else None
    return visible(definition.title or hinted or "")[:200]


def _free_name(name: str, taken: Container[str]) -> str:
    first = free = _fit(name)
    number = 2
    while free in taken:
        free = f"{first[: MAX_NAME_CHARACTERS - 4]}_{number}"
        number += 1
    return free


def _fit(name: str) -> str:
    fit = _UNFIT.sub("_", name) or "tool"
    if len(fit) <= MAX_NAME_CHARACTERS:
        return fit
    mark = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:8]
    return f"{fit[: MAX_NAME_CHARACTERS - 9]}_{mark}"
