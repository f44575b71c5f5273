"""docs/security.md names the test of each promise: it is there."""

import re

from tests.security.vectors import VECTORS
from tests.servers.site import ROOT

TEXT = (ROOT / "docs" / "security.md").read_text()


def test_every_promise_names_a_test_that_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", TEXT)
    assert len(named) > 30
    for path, name in named:
        source = (ROOT / path).read_text()
        assert re.search(rf"def {name or 'test_'}", source), (path, name)
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and "held by" not in line]
    assert rows
    assert all("`tests/" in row.split(" | ")[1] for row in rows)


def test_the_number_of_hostile_texts_is_the_one_that_is_told() -> None:
    assert f"{len(VECTORS)} hostile texts" in TEXT
    assert len(set(VECTORS)) == len(VECTORS) >= 100
