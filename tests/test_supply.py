"""What is installed and served is what was chosen: versions, hashes, licences, checksums."""

import hashlib
import re
from importlib.metadata import version
from pathlib import Path

import pytest

from tests import sbom
from tests.licences import LOCKS, PAGE, PINNED, ROOT, licence_of, page, pinned

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


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_everything_is_pinned_with_its_hashes(lock: Path) -> None:
    blocks = re.split(r"\n(?=\S)", lock.read_text().strip())
    found = {PINNED.findall(block)[0][:2] for block in blocks}
    asked = lock.with_suffix(".in").read_text()
    wanted = re.findall(r"^([a-z][\w.-]*)(?:\[[\w,]+\])?==(\S+)$", asked, re.MULTILINE)

    assert len(wanted) >= 3
    assert set(wanted) < found
    for block in blocks:
        assert "--hash=sha256:" in block, block[:80]


def test_both_files_pin_alike_what_is_in_both() -> None:
    first, second = ({it[0]: it[1] for it in PINNED.findall(lock.read_text())} for lock in LOCKS)

    both = set(first) & set(second)
    assert "opentelemetry-api" in both
    assert {name: first[name] for name in both} == {name: second[name] for name in both}


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


def test_the_bill_of_materials_has_what_is_vendored() -> None:
    told = {part["name"]: part["hashes"][0]["content"] for part in sbom.vendored()}
    files = [path for folder in sbom.VENDORED for path in (ROOT / folder).iterdir()]
    served = [path for path in files if not NOTICES.fullmatch(path.name)]

    assert told == {str(path.relative_to(ROOT)): _sum(path) for path in served}
    assert {part["licenses"][0]["license"]["id"] for part in sbom.vendored()} == {"MIT", "OFL-1.1"}


@pytest.mark.slow
def test_the_bill_of_materials_is_whole() -> None:
    if not sbom.PROGRAM.exists():
        pytest.skip("not installed: cyclonedx-py (make supply)")
    made = sbom.document()
    names = [part["name"] for part in made["components"]]
    told = [(part["name"], part["version"]) for part in made["components"]]

    assert made["metadata"]["component"]["name"] == "ferryline"
    assert {*pinned(), *(part["name"] for part in sbom.vendored())} < set(names)
    assert len(told) == len(set(told))
    unknown = [part["name"] for part in made["components"] if "licenses" not in part]
    assert not set(unknown) & set(pinned())
    assert set(made["dependencies"][0]["dependsOn"]) == {x["bom-ref"] for x in made["components"]}
    sbom.check(made)
