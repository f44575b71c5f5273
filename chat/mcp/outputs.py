"""Whether a tool gave back what its definition says that it gives. A server chooses both.

The SDK (mcp 2.3.0) would look on the event loop, for as long as that takes: with a pattern, 37
bytes took 26 s, with a schema that refers to itself 106 bytes 14 s, unique items of 18 KiB 7 s.
"""

import json
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from chat.mcp.listing import MAX_CHARACTERS
from chat.mcp.vetting import is_tame

# Characters of the schema by those of the content: some tenths of a second.
MAX_WORK = 20_000_000
# Each of them may look at everything again, for everything there is.
SLOW = frozenset({"uniqueItems", "unevaluatedItems", "unevaluatedProperties"})


def problem_of(schema: Mapping[str, Any], content: Any) -> str:
    """Where it does not fit, and why; empty also where it could take long to find out.

    Not for the event loop.
    """
    if content is None:
        return "it has no structured content, which its definition promises"
    try:
        if not is_tame(schema) or not is_tame(schema, SLOW) or not _is_small(schema, content):
            return ""
        Draft202012Validator.check_schema(schema)
        error = next(Draft202012Validator(schema).iter_errors(content), None)
    except (SchemaError, RecursionError):
        return ""
    if error is None:
        return ""
    return f"{error.json_path[:200]} is not what its definition promises ({error.validator})"


def _is_small(schema: Mapping[str, Any], content: Any) -> bool:
    size = len(json.dumps(schema))
    return size <= MAX_CHARACTERS and size * len(json.dumps(content)) <= MAX_WORK
