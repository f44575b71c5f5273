"""The servers of a deployment, from a file in the form that desktop programs use for theirs.

{"mcpServers": {"files": {"command": "npx", "args": ["-y", "…"], "env": {"…": "…"}},
                "notes": {"url": "https://…/mcp", "headers": {"Authorization": "…"}}}}
"""

import json
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from chat.errors import ConfigurationError
from chat.mcp.config import ServerConfig
from chat.mcp.config_file.entry import Entry
from chat.mcp.config_file.places import Places
from chat.mcp.config_file.values import Complaint

MAX_BYTES = 1 << 20
NO_SERVERS = (
    'there must be an object with "mcpServers" in it, as in '
    '{"mcpServers": {"files": {"command": "…"}}}'
)


def read_config(
    path: Path,
    variables: Mapping[str, str],
    *,
    call_timeout_seconds: float = 60,
    call_total_seconds: float = 600,
) -> list[ServerConfig]:
    """The servers in a file, but for the disabled ones. `${NAME}` is filled in from `variables`.

    The deadlines are those of servers that name no `timeout` of their own. Raises
    ConfigurationError with all that is wrong, a line for each mistake in the order of the file:
    its name, line, column, and what to do.
    """
    text = _text_of(path)
    document, places = _parsed(path, text)
    servers = document.get("mcpServers") if isinstance(document, dict) else None
    if not isinstance(servers, dict):
        where = ("mcpServers",) if isinstance(document, dict) and "mcpServers" in document else ()
        _refuse(path, [(places.of_value(where), NO_SERVERS)])
    entries = [Entry(name, values, variables, path.parent) for name, values in servers.items()]
    configs = [entry.read(call_timeout_seconds, call_total_seconds) for entry in entries]
    complaints = [Complaint(where, "is there twice; keep one") for where in places.repeated]
    complaints += [complaint for entry in entries for complaint in entry.complaints]
    complaints += _equal_slugs(entries)
    if complaints:
        _refuse(path, [(complaint.spot(places), str(complaint)) for complaint in complaints])
    return [config for config in configs if config]


def _text_of(path: Path) -> str:
    """Raises ConfigurationError for a file that cannot be read, or that others may write."""
    try:
        if path.stat().st_mode & stat.S_IWOTH:
            raise ConfigurationError(
                f"{path}: every user of this machine may write to it, and it names programs that "
                f"are started; chmod o-w {path}"
            )
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            raise ConfigurationError(f"{path}: it is larger than {MAX_BYTES:,} bytes")
        return text.decode("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{path}: it cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{path}:{line}: not UTF-8; save the file as UTF-8") from error


def _parsed(path: Path, text: str) -> tuple[Any, Places]:
    try:
        return json.loads(text), Places(text)
    except json.JSONDecodeError as error:
        hint = "comments are not JSON" if text[error.pos : error.pos + 1] in {"/", "#"} else ""
        if text[: error.pos].rstrip().endswith(","):
            hint = hint or "a comma before } or ] is one too many"
        what = f"not JSON: {error.msg}" + (f"; {hint}" if hint else "")
        _refuse(path, [((error.lineno, error.colno), what)])
    except RecursionError:
        raise ConfigurationError(f"{path}: it is nested too deeply") from None


def _equal_slugs(entries: Iterable[Entry]) -> list[Complaint]:
    first: dict[str, Entry] = {}
    return [
        Complaint(
            entry.where,
            f'is the same as "{first[entry.slug].name}" once it is short: both become '
            f'"{entry.slug}"; rename one',
        )
        for entry in entries
        if entry.slug and first.setdefault(entry.slug, entry) is not entry
    ]


def _refuse(path: Path, complaints: Iterable[tuple[tuple[int, int], str]]) -> NoReturn:
    lines = [f"{path}:{line}:{column}: {what}" for (line, column), what in sorted(complaints)]
    raise ConfigurationError("\n".join(lines))
