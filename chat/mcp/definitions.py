"""The usable tools of a server, as it defines them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import mcp.types

# What a model or a person decides by. Not the icons, and nothing that a server may number anew.
PINNED = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalog:
    """The usable tools of a server, their fingerprints, and why others were set aside; by name."""

    definitions: tuple[mcp.types.Tool, ...] = ()
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    set_aside: Mapping[str, str] = field(default_factory=dict)

    def output_schema(self, name: str) -> Mapping[str, Any] | None:
        """What a tool says of its results; None where it says nothing."""
        found = (tool.output_schema for tool in self.definitions if tool.name == name)
        return next(found, None)

    @property
    def problem(self) -> str:
        """A sentence for the operator, or nothing."""
        if not self.set_aside:
            return ""
        return f"Set aside, because their definitions are broken: {', '.join(self.set_aside)}."


def to_json(definition: mcp.types.Tool) -> dict[str, Any]:
    """The pinned part of a definition, under the names of the protocol."""
    whole = definition.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {name: whole[name] for name in PINNED if name in whole}


def fingerprint_of(definition: mcp.types.Tool) -> str:
    """SHA-256 of the pinned part; the same for the same definition, in whatever order it comes."""
    encoded = json.dumps(to_json(definition), sort_keys=True)
    return hashlib.sha256(encoded.encode()).hexdigest()


def schema_of(definition: mcp.types.Tool) -> dict[str, Any]:
    """The input schema, as models' APIs want it."""
    return {"type": "object", "properties": {}, **definition.input_schema}
