"""How a line of the log is written: as text, or as JSON for a machine that collects them.

Neither tells secrets of the settings, nor what people said: not even where a database quotes the
row that it refuses.
"""

import json
import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from chat import log_ids

# A shorter one might be an ordinary word.
SHORTEST_SECRET = 8
# PostgreSQL's, from the word to the end of what it quotes.
QUOTED_ROW = re.compile(r"(?s)\nDETAIL: .*?(?=\n\n|\nCONTEXT: |\nThe above|\Z)")
# Loggers of what anybody may send and Django refuses.
TURNED_AWAY = tuple(
    f"django.security.{name}"
    for name in (
        "DisallowedHost",
        "RequestDataTooBig",
        "SuspiciousMultipartForm",
        "TooManyFieldsSent",
        "TooManyFilesSent",
    )
)
CREDENTIALS = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}")


class Lines(logging.Formatter):
    """For people."""

    def __init__(self, *, secrets: Iterable[str] = ()) -> None:
        super().__init__("{asctime} {levelname} {name}: {message}", style="{")
        known = {secret for secret in secrets if len(secret) >= SHORTEST_SECRET}
        # As an address would have it, too.
        self._secrets = sorted(known | {quote(secret, safe="") for secret in known}, key=len)[::-1]

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        ids = "".join(f" {name}={value}" for name, value in log_ids.current().items())
        return f"{super().formatMessage(record)}{f' [{ids[1:]}]' if ids else ''}"

    def format(self, record: logging.LogRecord) -> str:
        return self._cleaned(super().format(record))

    def _cleaned(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        return CREDENTIALS.sub(r"\1 [secret]", QUOTED_ROW.sub("\nDETAIL: [left out]", text))


class JsonLines(Lines):
    """For machines: one object a line; a traceback is one text in it."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": self._cleaned(record.getMessage()),
            **log_ids.current(),
        }
        if record.exc_info:
            line["traceback"] = self._cleaned(self.formatException(record.exc_info))
        return json.dumps(line)


class TurnedAway(logging.Filter):
    """Worth a line, and no traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.exc_info = None
        return True


def configuration(line_format: str, secrets: list[str]) -> dict[str, Any]:
    """For `LOGGING`: everything goes to stderr, as "text" or as "json"."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "text": {"()": "chatsite.logs.Lines", "secrets": secrets},
            "json": {"()": "chatsite.logs.JsonLines", "secrets": secrets},
        },
        "filters": {"turned away": {"()": "chatsite.logs.TurnedAway"}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "stream": sys.stderr,
                "formatter": line_format,
            }
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "chat": {"level": "INFO"},
            # Every 404 of a scanner is not worth a line.
            "django.request": {"level": "ERROR"},
            **{name: {"filters": ["turned away"]} for name in TURNED_AWAY},
            "uvicorn": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
            # Addresses have what people search for; the proxy's log has the rest.
            "uvicorn.access": {"handlers": [], "level": "WARNING"},
        },
    }
