"""Servers that are killed while they answer. `make crash ROUNDS=200` does it for longer."""

import os
import subprocess
import sys

import pytest

from tests.faults.crash import LANES
from tests.servers.site import ROOT

ROUNDS = 20
# Less than pytest gives a test.
SECONDS = 560


@pytest.mark.slow
@pytest.mark.parametrize("lane", range(LANES))
def test_answers_survive_whatever_their_server_dies_of(lane: int) -> None:
    command = [sys.executable, "-m", "tests.faults.crash", "--rounds", str(ROUNDS)]
    command += ["--lane", str(lane)]
    if url := os.environ.get("TEST_DATABASE_URL", ""):
        command += ["--database", url]

    crash = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False
    )

    print(crash.stdout, crash.stderr)
    assert crash.returncode == 0
    assert f"{len(range(lane, ROUNDS, LANES))} rounds" in crash.stdout
    assert "0 violations" in crash.stdout
