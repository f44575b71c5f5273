"""Tools whose server is away while a call of theirs waits: found as they were accepted."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import mcp.types

from chat.mcp.config import ServerConfig
from chat.mcp.definitions import Catalog
from chat.mcp.naming import prepared
from chat.models import MCPTool
from chat.tools import Tool


def tools_away(
    calls: Iterable[Mapping[str, Any]], configs: Mapping[str, ServerConfig]
) -> list[Tool]:
    """The tools that these recorded calls asked for, under the names they were asked for by.

    Of the servers in `configs`, by slug; as far as their definitions are still those.
    """
    found = (_tool_of(call, configs.get(call.get("server", ""))) for call in calls)
    return [tool for tool in found if tool]


def _tool_of(call: Mapping[str, Any], config: ServerConfig | None) -> Tool | None:
    if config is None:
        return None
    same = MCPTool.objects.filter(
        server__slug=config.slug, accepted_fingerprint=call.get("fingerprint"), is_listed=True
    )
    row = same.exclude(accepted_fingerprint="").first()
    if row is None:
        return None
    definition = mcp.types.Tool.model_validate(row.accepted_definition)
    fingerprints = {definition.name: row.accepted_fingerprint}
    (tool,) = prepared(config, Catalog(definitions=(definition,), fingerprints=fingerprints))
    return replace(tool, name=call["name"])
