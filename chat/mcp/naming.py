"""Tool definitions from outside, made fit for a model's API. Untrusted: bounded and cleaned."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence

import mcp.types

from chat.mcp.config import ServerConfig
from chat.text import clean
from chat.tools import Tool

MAX_TOOLS = 128
MAX_DESCRIPTION_CHARACTERS = 4_000
MAX_SCHEMA_CHARACTERS = 65_536
MAX_NAME_CHARACTERS = 64
_UNFIT = re.compile(r"[^a-zA-Z0-9_-]")


def offered_tools(
    catalogs: Sequence[tuple[ServerConfig, Sequence[mcp.types.Tool]]],
) -> list[Tool]:
    """The tools of all servers under names of their own; each knows its server and its name there.

    Where two would be called the same, the later one gets its server's slug before it.
    """
    tools: dict[str, Tool] = {}
    for config, definitions in catalogs:
        for definition in definitions[:MAX_TOOLS]:
            if (schema := usable_schema(definition.input_schema)) is None:
                continue
            name = _free_name(definition.name, config.slug, tools)
            tools[name] = Tool(
                name=name,
                description=visible(definition.description or "")[:MAX_DESCRIPTION_CHARACTERS],
                input_schema=schema,
                server=config.slug,
                server_name=config.name,
                remote_name=definition.name,
                title=_title(definition),
            )
    return list(tools.values())


def usable_schema(schema: Mapping[str, object]) -> dict[str, object] | None:
    """The input schema, or None where no model's API would take it."""
    if schema.get("type", "object") != "object" or len(json.dumps(schema)) > MAX_SCHEMA_CHARACTERS:
        return None
    return {"type": "object", "properties": {}, **schema}


def visible(text: str) -> str:
    """Without characters that a person would not see and a model would read."""
    kept = (
        c for c in clean(text) if c in "\n\t" or unicodedata.category(c) not in {"Cf", "Cc", "Co"}
    )
    return "".join(kept)


def _title(definition: mcp.types.Tool) -> str:
    hinted = definition.annotations.title if definition.annotations else None
    return visible(definition.title or hinted or "")[:200]


def _free_name(name: str, slug: str, taken: Mapping[str, Tool]) -> str:
    fit = _fit(name)
    if fit in taken:
        fit = _fit(f"{slug}_{name}")
    number = 2
    while fit in taken:
        fit = f"{fit[: MAX_NAME_CHARACTERS - 4]}_{number}"
        number += 1
    return fit


def _fit(name: str) -> str:
    fit = _UNFIT.sub("_", name) or "tool"
    if len(fit) <= MAX_NAME_CHARACTERS:
        return fit
    mark = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:8]
    return f"{fit[: MAX_NAME_CHARACTERS - 9]}_{mark}"
