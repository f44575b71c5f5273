"""What is installed and served is what was chosen: versions, hashes, licences, checksums."""

import hashlib
import re
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.licences import PAGE, PINNED, ROOT, licence_of, page, pinned

LOCK = (ROOT / "requirements.txt").read_text()
# Of each, whoever serves Ferryline may pass it on unchanged, and owes no more than its notice.
ALLOWED = {
    *("MIT", "MIT-0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "ISC", "PSF-2.0"),
    *("MPL-2.0", "ZPL-2.1", "TCL", "0BSD", "Unlicense"),
    # Used as it is, through its Python interface.
    "LGPL-3.0-only",
}
VENDORED = ("static/vendor", "static/fonts", "tests/vendor")
# Texts that come with what is vendored, and the pages that list it.
NOTICES = re.compile(r"README\.md|.*LICENSE\.txt|OFL-\w+\.txt")
ROW = re.compile(r"^\| `([^`]+)` \|.*`([0-9a-f]{64})` \|$", re.MULTILINE)


def test_everything_is_pinned_with_its_hashes() -> None:
    blocks = re.split(r"\n(?=\S)", LOCK.strip())
    assert len(blocks) > 50
    for block in blocks:
        assert PINNED.match(block), block[:80]
        assert "--hash=sha256:" in block, block[:80]
    for name in re.findall(r"^([a-z][\w.-]*)(?:\[[\w,]+\])?==(\S+)$", _wanted(), re.MULTILINE):
        assert name in {(found[0], found[1]) for found in PINNED.findall(LOCK)}, name


def _wanted() -> str:
    return (ROOT / "requirements.in").read_text()


def test_what_is_tested_is_what_is_pinned() -> None:
    assert {name: version(name) for name in pinned()} == pinned()


def test_every_licence_may_be_used_and_is_told() -> None:
    for name in pinned():
        words = set(re.split(r"\s+(?:AND|OR)\s+|[()]", licence_of(name))) - {""}
        assert words <= ALLOWED, (name, words)
    assert PAGE.read_text() == page(), "make licences"


@pytest.mark.parametrize("folder", VENDORED)
def test_what_is_vendored_is_unchanged(folder: str) -> None:
    told = dict(ROW.findall((ROOT / folder / "README.md").read_text()))
    there = {path.name: _sum(path) for path in (ROOT / folder).iterdir()}
    assert {name: it for name, it in there.items() if not NOTICES.fullmatch(name)} == told


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_no_file_names_a_registry() -> None:
    for path in ROOT.glob("requirements*"):
        assert not re.search(r"index-url|find-links|://", path.read_text()), path
