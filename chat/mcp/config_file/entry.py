"""One server of a configuration file: what is said of it, and whether that makes sense."""

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from chat.mcp.config import ServerConfig
from chat.mcp.config_file.places import Where
from chat.mcp.config_file.values import Complaint, Values
from chat.mcp.credentials import is_set_by_connection

# Room for an ending, where a server that an admin added has the name already.
MAX_SLUG_CHARACTERS = 30
MAX_NAME_CHARACTERS = 100
MAX_TIMEOUT_SECONDS = 86_400
# A program may have to be fetched before it starts; no run waits for that.
START_SECONDS = 60
# Slugs of servers that other settings stand for.
TAKEN = {"demo": "DEMO_MCP_SERVER", "main": "MCP_SERVER_URL"}

ANY_KEYS = ("type", "timeout", "disabled")
CHILD_KEYS = ("command", "args", "env", "cwd")
HTTP_KEYS = ("url", "headers")
KNOWN = ", ".join(ANY_KEYS + CHILD_KEYS + HTTP_KEYS)
HTTP_TYPES = {"http", "streamable-http", "streamable_http", "streamableHttp"}
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_|~-]+")


class Entry:
    """`read` gives the server; afterwards `complaints` are what is wrong with it."""

    def __init__(self, name: str, found: Any, variables: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.slug = slug_of(name)
        self.where: Where = ("mcpServers", name)
        self._is_object = isinstance(found, dict)
        entry = found if self._is_object else {}
        self._is_disabled = entry.get("disabled") is True
        self._values = Values(self.where, entry, None if self._is_disabled else variables)
        self._folder = folder

    @property
    def complaints(self) -> list[Complaint]:
        return self._values.complaints

    def read(self, timeout_seconds: float, total_seconds: float) -> ServerConfig | None:
        """None for a server that is disabled: it is checked too, but needs no variables."""
        values = self._values
        self._check_name()
        if not self._is_object:
            values.complain('must be an object with a "command" or a "url"', of_value=True)
            return None
        self._check_keys()
        timeout = values.number("timeout", most=MAX_TIMEOUT_SECONDS) or timeout_seconds
        parts: dict[str, Any] = self._child() if "command" in values else self._http()
        if values.flag("disabled"):
            return None
        return ServerConfig(
            slug=self.slug,
            name=self.name,
            call_timeout_seconds=timeout,
            call_total_seconds=max(total_seconds, timeout),
            secrets=tuple(sorted(values.secrets)),
            **parts,
        )

    def _child(self) -> dict[str, Any]:
        values = self._values
        command, cwd, env = values.text("command"), values.text("cwd"), values.table("env")
        if isinstance(values.found["command"], str) and not command.strip():
            values.complain("must not be empty", "command", of_value=True)
        for name in env:
            if not name or "=" in name or "\0" in name:
                values.complain("is no name of a variable", "env", name)
        return {
            "command": command,
            "args": values.texts("args"),
            "env": env,
            "cwd": str(self._folder / cwd) if cwd else "",
            "connect_timeout_seconds": START_SECONDS,
        }

    def _http(self) -> dict[str, Any]:
        values = self._values
        url, headers = values.text("url").strip(), values.table("headers")
        if "url" in values and (problem := problem_of_url(url)):
            values.complain(problem, "url", of_value=True)
        for name in headers:
            if not _HEADER.fullmatch(name):
                values.complain("is no name of a header", "headers", name)
            elif is_set_by_connection(name):
                values.complain("is set by the connection itself; remove it", "headers", name)
        # The deployment named it itself: it knows where its networks are.
        return {"url": url, "headers": headers, "may_be_private": True}

    def _check_name(self) -> None:
        if not self.slug:
            self._values.complain("needs a letter from a to z, or a digit, in its name")
        elif self.slug in TAKEN:
            self._values.complain(f"is what {TAKEN[self.slug]} stands for; choose another name")
        if len(self.name) > MAX_NAME_CHARACTERS:
            self._values.complain(f"is longer than {MAX_NAME_CHARACTERS} characters")
        if not self.name.isprintable():
            self._values.complain("has characters in its name that cannot be seen")

    def _check_keys(self) -> None:
        values = self._values
        is_child, is_http = "command" in values, "url" in values
        if is_child == is_http:
            has = 'has a "command" and a "url"; keep' if is_child else "needs"
            values.complain(f'{has} either a "command" (a program to start) or a "url"')
        for key in values.found:
            if key not in ANY_KEYS + CHILD_KEYS + HTTP_KEYS:
                values.complain(f"is not known; remove it (known are {KNOWN})", key)
            elif key in CHILD_KEYS and is_http and not is_child:
                values.complain('goes with a "command" and not with a "url"; remove it', key)
            elif key in HTTP_KEYS and is_child and not is_http:
                values.complain('goes with a "url" and not with a "command"; remove it', key)
        if "type" in values and is_child != is_http:
            self._check_type(is_child=is_child)

    def _check_type(self, *, is_child: bool) -> None:
        found = self._values.found["type"]
        problem = ""
        if found == "sse":
            problem = (
                'is "sse", the old transport, which is not spoken here; use the server\'s address '
                'for streamable HTTP, which often ends in /mcp, and "http"'
            )
        elif found != "stdio" and found not in HTTP_TYPES:
            problem = 'must be "stdio" or "http"; it may be left out'
        elif (found == "stdio") is not is_child:
            problem = f'is "{found}", which needs a "{"url" if is_child else "command"}"'
        if problem:
            self._values.complain(problem, "type", of_value=True)


def slug_of(name: str) -> str:
    """A short name of a to z, digits and hyphens; empty where none of it is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:MAX_SLUG_CHARACTERS].strip("-")


def problem_of_url(url: str) -> str:
    """Why it is no address of a server; empty where it is one."""
    try:
        parts = urlsplit(url)
        has_password = parts.username is not None
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        is_plain = url.isprintable() and " " not in url
        httpx2.URL(url)
    except (ValueError, httpx2.InvalidURL):
        return "is no address"
    if not is_plain:
        return "has a blank in it, or what cannot be seen"
    if not is_address:
        return "must be an http:// or https:// address"
    return "has a password in it; put that into a header" if has_password else ""
