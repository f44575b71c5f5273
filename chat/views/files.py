"""What a tool gave back beside its text, as the card shows it. The same as attachments.js."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from django.utils.translation import gettext


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """An attachment of a result; `tool` is what its card is called."""

    url: str
    mime_type: str
    bytes: int
    name: str
    tool: str

    @classmethod
    def of(cls, reference: Mapping[str, Any], tool: str) -> Self:
        return cls(
            url=reference["url"],
            mime_type=reference["mime_type"],
            bytes=reference["bytes"],
            name=reference["name"],
            tool=tool,
        )

    @property
    def template(self) -> str:
        kind = self.mime_type.partition("/")[0]
        return f"chat/_{kind}.html" if kind in {"image", "audio"} else "chat/_download.html"

    @property
    def title(self) -> str:
        return gettext("the whole result") if self.mime_type == "text/plain" else self.name

    @property
    def alt(self) -> str:
        return f"{self.tool}: {self.name}"
