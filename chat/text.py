"""Text from outside, made fit to be stored and sent on."""

import re
import unicodedata

# Room for the line that says how much was left out.
LINE_BYTES = 120
TITLE_CHARACTERS = 80
_UNSEEN = frozenset({"Cf", "Cc", "Co"})
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def clean(text: str) -> str:
    """NUL and lone surrogates, which no database and no UTF-8 stream can hold, are U+FFFD."""
    text = text.replace("\x00", "\ufffd")
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def visible(text: str, most: int | None = None) -> str:
    """Without characters that a person would not see and a model would read.

    `most`: no more than so many characters are looked at; a server's own text may be megabytes.
    """
    text = clean(text[:most])
    if text.isascii():
        return _CONTROLS.sub("", text)
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in _UNSEEN)


def say(template: str, /, **values: object) -> str:
    """An English sentence that people will read, though it is stored or sent on as it is here.

    Marks it for the catalogue of such sentences: `told` says it in the language of who reads it.
    """
    return template.format_map(values)


def size_of(text: str) -> int:
    """In bytes of UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def cut(text: str, max_bytes: int, *, whole_bytes: int = 0, remark: str = "") -> str:
    """At most `max_bytes` of UTF-8, ending between two characters and with what was left out.

    `whole_bytes`: the size of that of which `text` itself is only the beginning.
    """
    size = size_of(text)
    if size <= max_bytes:
        return text
    kept = text.encode("utf-8", "replace")[: max_bytes - LINE_BYTES].decode("utf-8", "ignore")
    left_out = max(size, whole_bytes) - size_of(kept)
    return f"{kept}\n\n[… {left_out:,} bytes left out{remark}]"


def title_of(text: str) -> str:
    """The first words of a question, whole words only where that is possible."""
    line = " ".join(text.split())
    if len(line) <= TITLE_CHARACTERS:
        return line
    return line[:TITLE_CHARACTERS].rsplit(" ", 1)[0] + "…"
