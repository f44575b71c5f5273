"""Tool definitions from outside: those that are broken are set aside, their neighbours stay."""

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import mcp.types
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from chat.mcp.definitions import Catalog, fingerprint_of, to_json
from chat.mcp.vetting import MAX_NAME_CHARACTERS, shown_name

# Of a whole definition, and of all of a server.
MAX_CHARACTERS = 65_536
MAX_LISTING_CHARACTERS = 1 << 20
# Schemas within a schema, and within all of a server: looking at one takes 0.13 ms.
MAX_PARTS = 2_000
MAX_LISTING_PARTS = 20_000
MAX_SET_ASIDE = 100

NOT_VALID = "its definition is not valid"
BAD_SCHEMA = "its input schema is not the JSON schema of an object"
TOO_LARGE = "its definition is too large"
TOO_MUCH = "the definitions of its server are too large together"
NOT_STORABLE = "it holds what no database can store"
LONG_NAME = "its name is too long"
BAD_NAME = "its name holds characters that cannot be seen"
_NUL = "\\u0000"


class Listing:
    """One list of tools, page by page: what is left out is not kept meanwhile.

    Not for the event loop: a schema may be made to be slow to look at.
    """

    def __init__(self) -> None:
        self._usable: dict[str, mcp.types.Tool] = {}
        self._set_aside: dict[str, str] = {}
        self._characters = self._parts = 0

    def add(self, found: Iterable[mcp.types.Tool], broken: Iterable[str] = ()) -> "Listing":
        """The first definition of each name counts. `broken`: names that were taken out before."""
        for name in broken:
            self._leave_out(name, NOT_VALID)
        for definition in found:
            if problem := self._problem_of(definition):
                self._leave_out(shown_name(definition.name), problem)
            else:
                self._usable.setdefault(definition.name, definition)
        return self

    def catalog(self) -> Catalog:
        """What was added. A name that is usable as well is that of the usable one."""
        left_out = {name: why for name, why in self._set_aside.items() if name not in self._usable}
        return Catalog(
            definitions=tuple(self._usable.values()),
            fingerprints={name: fingerprint_of(tool) for name, tool in self._usable.items()},
            set_aside=left_out,
        )

    def _leave_out(self, name: str, why: str) -> None:
        if len(self._set_aside) < MAX_SET_ASIDE:
            self._set_aside.setdefault(name, why)

    def _problem_of(self, definition: mcp.types.Tool) -> str:
        """Why no model's API would take this tool; empty where one would."""
        name = definition.name
        if len(name) > MAX_NAME_CHARACTERS:
            return LONG_NAME
        if not name.isprintable():
            return BAD_NAME
        try:
            whole = json.dumps(to_json(definition), allow_nan=False, ensure_ascii=False)
            whole.encode()
        except (ValueError, RecursionError):
            return NOT_STORABLE
        if _NUL in whole:
            return NOT_STORABLE
        parts = _parts_of(definition.input_schema)
        if len(whole) > MAX_CHARACTERS or parts > MAX_PARTS:
            return TOO_LARGE
        self._characters += len(whole)
        self._parts += parts
        if self._characters > MAX_LISTING_CHARACTERS or self._parts > MAX_LISTING_PARTS:
            return TOO_MUCH
        return "" if _is_object_schema(json.dumps(definition.input_schema)) else BAD_SCHEMA


def _parts_of(schema: Any) -> int:
    """How many schemas there may be in it; `true` is one, too."""
    count, rest = 0, [schema]
    while rest:
        match rest.pop():
            case dict() as found:
                count += 1
                rest += found.values()
            case list() as found:
                rest += found
            case bool():
                count += 1
    return count


@lru_cache(maxsize=1024)
def _is_object_schema(encoded: str) -> bool:
    schema = json.loads(encoded)
    try:
        Draft202012Validator.check_schema(schema)
    except (SchemaError, RecursionError):
        return False
    return bool(schema.get("type", "object") == "object")
