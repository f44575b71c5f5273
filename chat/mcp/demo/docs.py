"""Search in this project's own documentation, for the demo tools."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SNIPPET_CHARACTERS = 320
STOP = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "by",
        "can",
        "do",
        "does",
        "for",
        "how",
        "i",
        "in",
        "is",
        "it",
        "of",
        "on",
        "or",
        "the",
        "to",
        "what",
        "with",
        "you",
    ]
)


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of a page with the text below it."""

    page: str
    heading: str
    text: str


def search(query: str, limit: int) -> str:
    """The best sections as a Markdown list, or a sentence that says there is none."""
    words = [word for word in _words(query) if word not in STOP]
    scored = [(score, section) for section in sections() if (score := _score(section, words))]
    scored.sort(key=lambda row: -row[0])
    if not scored:
        return f"The documentation says nothing about {query[:80]!r}."
    return "\n".join(_shown(section, words) for _, section in scored[:limit])


@cache
def sections() -> list[Section]:
    """All sections of README.md, CHANGELOG.md and docs/."""
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [section for page in pages if page.is_file() for section in _split(page)]


def _split(page: Path) -> list[Section]:
    found, heading, lines = [], page.stem, list[str]()
    for line in [*page.read_text(encoding="utf-8").splitlines(), "# "]:
        if match := re.match(r"#{1,4} (.*)", line):
            if text := " ".join(" ".join(lines).split()):
                found.append(Section(page.relative_to(ROOT).as_posix(), heading, text))
            heading, lines = match[1].strip(), []
        else:
            lines.append(line)
    return found


def _score(section: Section, words: list[str]) -> int:
    heading, text = section.heading.lower(), section.text.lower()
    return sum(5 * (_stem(word) in heading) + min(text.count(_stem(word)), 5) for word in words)


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


def _words(text: str) -> list[str]:
    return re.findall(r"[\w-]+", text.lower())


def _shown(section: Section, words: list[str]) -> str:
    places = [section.text.lower().find(_stem(word)) for word in words]
    start = max(0, min((place for place in places if place >= 0), default=0) - 60)
    snippet = section.text[start : start + SNIPPET_CHARACTERS].replace("`", "'")
    dots = "… " if start else ""
    return f"- **{section.heading}** ({section.page}): {dots}{snippet.strip()} …"
