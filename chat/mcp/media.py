"""Which images and sounds of tools are shown to people, and what their bytes must begin with.

No SVG: it is a program. A type that a tool claims counts only where the bytes agree.
"""

import re
from collections.abc import Mapping

SIGNATURES: Mapping[str, re.Pattern[bytes]] = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    # An ID3 tag, or a frame of MPEG audio: 11 bits set, a known version, a known layer.
    "audio/mpeg": re.compile(rb"ID3|\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff]"),
    "audio/wav": re.compile(rb"RIFF.{4}WAVE", re.DOTALL),
    "audio/ogg": re.compile(rb"OggS"),
    "audio/webm": re.compile(rb"\x1aE\xdf\xa3"),
    "audio/mp4": re.compile(rb".{4}ftyp", re.DOTALL),
}
SHOWN_TYPES = frozenset(SIGNATURES)
_OTHER_NAMES = {
    "image/jpg": "image/jpeg",
    "audio/mp3": "audio/mpeg",
    "audio/wave": "audio/wav",
    "audio/x-wav": "audio/wav",
    "audio/x-m4a": "audio/mp4",
}


def shown_type(claimed: str, data: bytes) -> str:
    """The type under which these bytes may be shown; "" where they may not be."""
    name = claimed.partition(";")[0].strip().lower()
    name = _OTHER_NAMES.get(name, name)
    signature = SIGNATURES.get(name)
    return name if signature and signature.match(data) else ""


def extension_of(shown: str) -> str:
    """The end of a file's name for one of SHOWN_TYPES."""
    return {"image/jpeg": "jpg", "audio/mpeg": "mp3", "audio/mp4": "m4a"}.get(
        shown, shown.partition("/")[2]
    )
