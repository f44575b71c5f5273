"""Tools as values: what the model may call, what it asked for, and what it is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# Of a result's text, as it is stored and shown. What is longer is attached as a file.
MAX_RESULT_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """A tool as offered to the model under `name`; `server` is the slug of who executes it.

    `remote_name` is what that server calls it; it differs where two servers collide
    or where the server's name is not fit for a model's API. `fingerprint` is that of the
    definition that was offered: another one is not executed. `may_repeat`: a call whose outcome
    is unknown may be made again. `is_read_only`, `is_destructive`: what its server says of it.
    """

    name: str
    description: str
    input_schema: Mapping[str, Any]
    server: str = ""
    server_name: str = ""
    remote_name: str = ""
    title: str = ""
    fingerprint: str = ""
    may_repeat: bool = False
    is_read_only: bool = False
    is_destructive: bool = False

    def to_tool_definition(self) -> dict[str, Any]:
        """The entry of `tools` in an OpenAI-compatible chat-completions request."""
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": dict(self.input_schema),
            },
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """What the model asked for. `id` is unique in its run.

    `invalid_arguments` holds the raw text where it was no JSON object; `arguments` is then
    empty, the tool is not executed and the model is told `problem`. `extra` holds what else the
    model's API said of the call; some want it back, word for word.
    """

    id: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    invalid_arguments: str = ""
    problem: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolFile:
    """A file that a tool gave back; its bytes are what `mime_type` says."""

    name: str
    mime_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolResult:
    """What goes back to the model. `text` is the whole result as text.

    Where that was too long, `text` is its beginning and `whole_bytes` the size of all of it.
    `files` are still to be kept; `attachments` refer to those that are, as the wire has them.
    """

    text: str
    structured: object = None
    is_error: bool = False
    whole_bytes: int = 0
    files: Sequence[ToolFile] = ()
    attachments: Sequence[Mapping[str, Any]] = ()
