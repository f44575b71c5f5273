"""Reads the environment and `.env`, in the kinds of values that settings have.

Nonsense fails here, at start, with a sentence.
"""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from chat.redaction import Redaction

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


env = Environment()
environ.Env.read_env(BASE_DIR / ".env")


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
