"""The documentation as data: pages, their anchors, links, code spans and blocks of code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A Markdown file; `name` is its path from the root."""

    name: str
    text: str

    @property
    def prose(self) -> str:
        """Without blocks of code."""
        text = FENCE.sub("", self.text)
        return "\n".join(line for line in text.splitlines() if not line.startswith("    "))

    @property
    def anchors(self) -> set[str]:
        """As GitHub names headings."""
        found = re.findall(r"^#+ (.+)$", self.prose, re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}

    @property
    def links(self) -> list[str]:
        """Those to files and headings of ours."""
        found = re.findall(r"\]\(([^)\s]+)\)", self.prose)
        return [link for link in found if not re.match(r"[a-z]+:", link)]

    @property
    def spans(self) -> list[str]:
        return [re.sub(r"\s+", " ", span) for span in re.findall(r"`([^`]+)`", self.prose)]

    @property
    def blocks(self) -> list[str]:
        """Fenced ones, and those that are indented."""
        indented = re.findall(r"(?:^    .*\n(?:\n(?=    ))?)+", self.text, re.MULTILINE)
        return [code for _, code in FENCE.findall(self.text)] + [
            re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in indented
        ]

    @property
    def code(self) -> Iterator[str]:
        """Lines of code, wherever they stand; lines that go on are one."""
        for block in self.blocks:
            yield from block.replace("\\\n", " ").splitlines()
        yield from self.spans


def pages() -> list[Page]:
    """All that is written for people, but what is vendored and pictures' lists."""
    names = ["README.md", "CHANGELOG.md", "tests/providers/README.md"]
    found = [*map(ROOT.joinpath, names), *sorted((ROOT / "docs").rglob("*.md"))]
    return [
        Page(name=str(path.relative_to(ROOT)), text=path.read_text())
        for path in found
        if "screenshots" not in path.parts
    ]
