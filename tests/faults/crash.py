"""The crash test: servers that are killed while they answer, and everything that must hold then.

    python -m tests.faults.crash --rounds 200 --seed 1 [--database postgres://…]

A round asks questions at once, of a scripted model that reasons, writes and calls tools; kills
the server at a random moment or a named point of the code (see points.py), starts it again,
perhaps to kill it again; has all readers read on; and checks the invariants (invariants.py).
Rounds run in LANES processes, each with a database and servers of its own. What is violated is
printed with the --seed and --only that show it again, as far as chance is ours.

Another process takes over a run that has been silent for 15 s. The test does not wait for that:
it sets the heartbeats back in the database while no server runs, as time would do.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

from tests.prepared import migrate
from tests.servers.site import ROOT

# More than there are processors: half of a round is waiting.
LANES = 3


def main() -> int:
    """0 where nothing was violated."""
    options = arguments()
    numbers = [options.only] if options.only is not None else list(range(options.rounds))
    chosen = range(LANES) if options.lane is None else [options.lane]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ferryline-crash-")))
        lanes = [
            (stack.enter_context(database(options.database, folder, lane)), numbers[lane::LANES])
            for lane in chosen
            if numbers[lane::LANES]
        ]
        with ThreadPoolExecutor(LANES) as threads:
            played = threads.map(
                lambda lane: list(play(options.seed, lane[0], lane[1], folder)), lanes
            )
            rounds = [one for lane in played for one in lane]
    return told(rounds, sum(len(numbers) for _, numbers in lanes))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.crash")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", type=int, metavar="NUMBER", help="play this round alone")
    parser.add_argument("--lane", type=int, choices=range(LANES), help="play this one's rounds")
    parser.add_argument("--seed", default=str(random.randrange(10**6)))
    parser.add_argument(
        "--database", default="", help="a PostgreSQL server's URL; databases are made on it"
    )
    return parser.parse_args()


@contextmanager
def database(url: str, folder: Path, lane: int) -> Iterator[str]:
    """The URL of a new database: a file, or on the server at `url`, dropped afterwards."""
    if not url:
        yield f"sqlite:///{folder}/{lane}.sqlite3"
        return
    name = f"crash_{os.getpid()}_{lane}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        try:
            yield f"{url.rpartition('/')[0]}/{name}"
        finally:
            connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


def play(seed: str, url: str, numbers: list[int], folder: Path) -> Iterator[dict[str, Any]]:
    """Have one process play these rounds, and print what it found as it goes."""
    environment = environment_of(url, folder)
    migrate(url, environment)
    command = [sys.executable, "-m", "tests.faults.rounds", seed, *map(str, numbers)]
    with (
        (folder / f"{numbers[0]}.log").open("w+") as log,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        assert process.stdout
        for line in process.stdout:
            one = json.loads(line)
            print(line_of(one), flush=True)
            yield one
        if process.wait():
            log.seek(0)
            tail = "".join(log.readlines()[-60:])
            print(f"The rounds broke off ({process.returncode}):\n{tail}", flush=True)


def environment_of(url: str, folder: Path) -> dict[str, str]:
    """Of the server; empty values win over a developer's own .env."""
    empty = ["REDIS_URL", "LLM_API_KEY", "OPENROUTER_API_KEY", "LLM_MODELS", "MCP_API_KEY"]
    empty += ["MCP_CONFIG", "MCP_TOKEN_KEY", "RUN_RECOVERY", "HTTPS"]
    return {
        **os.environ,
        **dict.fromkeys(empty, ""),
        "DJANGO_SETTINGS_MODULE": "chatsite.settings",
        "SECRET_KEY": "for the crash test only, and long enough to be silent about it 0123456789",
        "DATABASE_URL": url,
        "MEDIA_DIR": str(folder / "media"),
        "DEBUG": "false",
        "DEMO_MCP_SERVER": "false",
        "LLM_MODEL": "scripted",
        "TITLE_BY_MODEL": "false",
        "MAX_ACTIVE_RUNS_PER_USER": "1000",
        "MAX_RUN_STARTS_PER_MINUTE": "0",
        "DRAIN_SECONDS": "0.3",
    }


def line_of(one: dict[str, Any]) -> str:
    died = "; ".join(one["died"]) or "nothing died"
    lines = [f"{one['name']}  {one['seconds']:5.1f} s  {one['events']:5d} events  {died}"]
    seed, _, number = one["name"].rpartition(":")
    if one["violations"]:
        lines.append(f"  VIOLATED; again: --seed {seed} --only {number}")
    return "\n".join([*lines, *(f"  - {text}" for text in one["violations"])])


def told(rounds: list[dict[str, Any]], expected: int) -> int:
    """Print the sum; the exit code."""
    broken = sum(bool(one["violations"]) for one in rounds)
    count = sum(len(one["violations"]) for one in rounds)
    deaths = Counter(death.split(" ")[0] for one in rounds for death in one["died"])
    print(f"died: {', '.join(f'{name} {times}' for name, times in deaths.most_common())}")
    events = sum(one["events"] for one in rounds)
    print(f"{len(rounds)} rounds, {sum(deaths.values())} deaths, {events} events")
    print(f"{count} violations in {broken} rounds")
    return int(bool(count) or len(rounds) < expected)


if __name__ == "__main__":
    sys.exit(main())
