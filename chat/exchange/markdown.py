"""A conversation as Markdown, to read and to keep."""

import json
import re
from collections.abc import Iterator

from chat.exchange.document import Json
from chat.models import Tree

ENDINGS = {"failed": "failed", "cancelled": "stopped", "interrupted": "interrupted"}


def markdown_of(document: Json) -> str:
    """Questions, answers and tool runs of an exported document: of the branch that is shown."""
    parts = [f"# {_line(document['title']) or 'New chat'}"]
    for message in _shown(document):
        parts += _question(message) if message["role"] == "user" else _answer(message)
    return "\n\n".join(parts) + "\n"


def _shown(document: Json) -> Iterator[Json]:
    messages, current = document["messages"], document["current"]
    tree = Tree((place, each["parent"], each["role"]) for place, each in enumerate(messages))
    end = len(messages) - 1 if current is None else tree.end_of(current)
    return (messages[place] for place in tree.path_to(end if messages else None))


def _question(message: Json) -> Iterator[str]:
    yield f"## You, {_minute(message['created_at'])}"
    yield message["content"].strip()


def _answer(message: Json) -> Iterator[str]:
    about = [_line(message["model_name"]), _minute(message["created_at"])]
    if ending := ENDINGS.get(message["status"]):
        about.append(ending)
    yield f"## Assistant, {', '.join(about)}"
    for step in message["steps"]:
        if step["content"].strip():
            yield step["content"].strip()
        for tool_run in step["tool_runs"]:
            yield from _tool_run(tool_run)
    if message["error_message"]:
        yield f"> {_line(message['error_message'])}"


def _tool_run(tool_run: Json) -> Iterator[str]:
    about = [tool_run["outcome"]]
    if tool_run["server"]:
        about.insert(0, _line(tool_run["server"]))
    if tool_run["duration_ms"] is not None:
        about.append(f"{tool_run['duration_ms']} ms")
    yield f"**Tool run: {_line(tool_run['title'] or tool_run['tool'])}** ({', '.join(about)})"
    arguments = json.dumps(tool_run["arguments"], ensure_ascii=False, indent=2)
    yield fenced(tool_run["invalid_arguments"] or arguments, "json")
    if tool_run["result"]:
        yield fenced(tool_run["result"])
    for file in tool_run["files"]:
        yield f"File: {_line(file['name'])} ({file['mime_type']}, {file['bytes']:,} bytes)"


def fenced(text: str, language: str = "") -> str:
    """A block of code that nothing in the text can end."""
    longest = max(map(len, re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _line(text: str) -> str:
    return " ".join(text.split())


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")
