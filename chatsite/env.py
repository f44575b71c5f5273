"""Reads the environment and `.env`, in the kinds of values that settings have.

Nonsense fails here, at start, with a sentence.
"""

import io
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from chat.redaction import Redaction

_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*", re.ASCII)
BASE_DIR = Path(__file__).resolve().parent.parent


class Environment(environ.Env):
    """A text that begins with $ is that text, and not the name of another variable. Blanks between
    the parts of a list do not count.
    """

    def str(self, var: Any, default: Any = "", multiline: bool = False) -> Any:
        return self.ENVIRON.get(var, default)

    def list(self, var: Any, cast: Any = None, default: Any = ()) -> Any:
        text = self.ENVIRON.get(var)
        parts = default if text is None else map(str.strip, text.split(","))
        return [part for part in parts if part]


def lines_of(path: Path) -> io.StringIO:
    """A file of settings as django-environ reads one: blanks beside "=" do not count.

    Raises ImproperlyConfigured for what it would leave out, by the number of the line: it may hold
    a secret. A file that is not there, or is not for us, has no lines.
    """
    try:
        # Some editors write a mark at the beginning.
        text = path.read_text(encoding="utf-8-sig")
    except OSError:
        return io.StringIO()
    except UnicodeDecodeError:
        raise ImproperlyConfigured(f"{path.name} is not UTF-8; save it as UTF-8.") from None
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        found = _LINE.fullmatch(line)
        if found:
            lines.append(f"{found[1]}={found[2]}")
        elif line.strip() and not line.lstrip().startswith("#"):
            raise ImproperlyConfigured(f"Line {number} of {path.name} is not NAME=value.")
    return io.StringIO("\n".join(lines))


env = Environment()
env.read_env(lines_of(BASE_DIR / ".env"))


def positive(name: str, default: float, *, zero: bool = False, most: float = 1e12) -> float:
    """A number above 0 (or at least 0), or a sentence that says what was found instead."""
    text = env.str(name, default="") or str(default)
    try:
        value = float(text)
    except ValueError:
        value = -1
    if value < 0 or (value == 0 and not zero) or value != value or value > most:
        bounds = f"{'0 or more' if zero else 'above 0'}, and {most:,.0f} at most"
        raise ImproperlyConfigured(f"{name} must be a number {bounds}; it is {text!r}.")
    return value


def whole(name: str, default: int, *, zero: bool = False) -> int:
    value = positive(name, default, zero=zero)
    if value != int(value):
        raise ImproperlyConfigured(f"{name} must be a whole number; it is {value}.")
    return int(value)


def address(name: str) -> str:
    """A URL that may hold a password; what cannot be read is never quoted. "" where not set."""
    url = env.str(name, default="").strip()
    try:
        # Asked for, it is read: a "/" in a password would make a port of what is before it.
        _ = urlsplit(url).port
    except ValueError:
        raise ImproperlyConfigured(
            f"{name} cannot be read. In its password write %2F for /, %40 for @, %23 for #, %3F "
            "for ?, %5B for [ and %25 for %."
        ) from None
    return url


def web_address(name: str) -> str:
    """An http(s) URL without its last slash, or "" where the variable is not set."""
    url = env.str(name, default="").strip().rstrip("/")
    try:
        parts = urlsplit(url)
        # Asked for, the port is read.
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if url and not valid:
        # It may be a secret in itself, or hold one.
        raise ImproperlyConfigured(f"{name} must be an http:// or https:// address.")
    return url


def key(name: str) -> str:
    """A secret that is sent in a header, or "" where the variable is not set."""
    secret = env.str(name, default="").strip()
    if not (secret.isascii() and secret.isprintable()):
        raise ImproperlyConfigured(f"{name} must be ASCII, as what is sent in a header is.")
    return str(secret)


def switch(name: str, *, default: bool) -> bool:
    text = env.str(name, default="").strip().lower() or str(default).lower()
    if text not in {"1", "0", "true", "false", "yes", "no", "on", "off"}:
        raise ImproperlyConfigured(f"{name} must be true or false; it is {text!r}.")
    return text in {"1", "true", "yes", "on"}


def redaction(keys: str, patterns: str) -> Redaction:
    """Raises ImproperlyConfigured for what is no regular expression."""
    names = [] if keys.lower() == "none" else [key.strip() for key in keys.split(",")]
    try:
        made = [re.compile(pattern) for pattern in patterns.split()]
    except re.error as error:
        raise ImproperlyConfigured(
            f"REDACT_PATTERNS must be regular expressions with spaces between them, and \\s for a "
            f"space within: {error}."
        ) from error
    if any(pattern.search("") for pattern in made):
        raise ImproperlyConfigured("A pattern of REDACT_PATTERNS matches everywhere, on nothing.")
    return Redaction(keys=tuple(filter(None, names)), patterns=tuple(made))
