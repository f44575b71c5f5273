"""The soak: half an hour of people and faults, and whether anything grows.

    python -m tests.faults.soak [--minutes 30] [--server uvicorn] [--database postgres://…]

People ask, read to the end, leave in mid-answer and come back, stop, open pages; meanwhile the
network to the model and to the tools fails in turns. What the server holds is looked at in quiet
moments, in which nobody asks anything: memory, tasks, threads, open files and sockets. Exits with 1
where one of them is more in the last third than in the one before, or where an answer did not end.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from tests.faults.crash import database, environment_of
from tests.prepared import migrate
from tests.servers.site import ROOT

ROUNDS = 30
# What may be more at the end: caches that fill slowly, a log, a connection that is just opened.
SLACK = {"MiB": 1.05, "tasks": 1.1, "threads": 1.2, "files": 1.2, "sockets": 1.2}
# Few of anything are a few more or less.
FEW = {"MiB": 6, "tasks": 3, "threads": 3, "files": 4, "sockets": 4}

Sample = dict[str, float]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--server", choices=("daphne", "uvicorn"), default="daphne")
    parser.add_argument("--database", default="", help="a PostgreSQL server's URL")
    asked = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ferryline-soak-")))
        url = stack.enter_context(database(asked.database, folder, 0))
        environment = environment_of(url, folder) | {
            "METRICS_TOKEN": "of the soak, and nobody else's",
            "LLM_IDLE_TIMEOUT_SECONDS": "5",
            "STATIC_DIR": str(folder / "static"),
        }
        migrate(url, environment)
        collect = [sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity", "0"]
        subprocess.run(collect, cwd=ROOT, env=environment, check=True)
        seconds = asked.minutes * 60 / ROUNDS
        command = [
            sys.executable,
            "-m",
            "tests.faults.soaking",
            asked.server,
            str(seconds),
            str(ROUNDS),
        ]
        samples, wrong = watch(command, environment)
    return told(samples, wrong)


def watch(command: list[str], environment: dict[str, str]) -> tuple[list[Sample], list[str]]:
    """Print each sample as it comes; all of them, and what went wrong."""
    samples: list[Sample] = []
    wrong: list[str] = []
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        for line in process.stdout:
            seen = json.loads(line)
            wrong += seen.pop("wrong")
            samples.append(seen)
            cells = "  ".join(f"{name} {value:g}" for name, value in seen.items())
            print(f"{len(samples):3d}  {cells}", flush=True)
        if process.wait():
            wrong.append(f"it broke off ({process.returncode})")
    return samples, wrong


def told(samples: list[Sample], wrong: list[str]) -> int:
    """Print what grew; the exit code."""
    third = max(1, len(samples) // 3)
    for name, slack in SLACK.items() if len(samples) >= 3 else ():
        before, after = (
            statistics.median(sample[name] for sample in part)
            for part in (samples[third : 2 * third], samples[-third:])
        )
        grew = after > before * slack and after > before + FEW[name]
        print(f"{name:>8}: {before:g} in the second third, {after:g} in the last")
        if grew:
            wrong.append(f"{name} grew from {before:g} to {after:g}")
    for text, times in Counter(wrong).most_common(50):
        print(f"  - {times} x {text}")
    asked = sum(sample["asked"] for sample in samples)
    print(f"{asked:g} questions, {len(wrong)} things wrong")
    return int(bool(wrong) or len(samples) < ROUNDS)


if __name__ == "__main__":
    sys.exit(main())
