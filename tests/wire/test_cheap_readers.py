"""An open stream holds no thread and no database connection of its own."""

from contextlib import ExitStack

import psutil

from tests.people import Person
from tests.sse import begin, frames, wait_until

STREAMS = 20
# Threads and database handles that requests may hold at this very moment.
SLACK = 6


def held(alice: Person) -> tuple[int, int]:
    """The site's threads, and its open handles of the database."""
    assert alice.site.process
    process = psutil.Process(alice.site.process.pid)
    handles = [file for file in process.open_files() if file.path.endswith("db.sqlite3")]
    return process.num_threads(), len(handles)


def test_open_streams_hold_neither_threads_nor_connections(alice: Person) -> None:
    run_id = begin(alice.api, "[[tokens 4000 delay 5]]")["run_id"]
    threads, handles = held(alice)

    with ExitStack() as stack:
        for _ in range(STREAMS):
            url = f"/api/runs/{run_id}/events/"
            client = alice.http if _ % 2 else alice.api
            response = stack.enter_context(client.stream("GET", url))
            next(frames(response))

        def is_small() -> bool:
            now_threads, now_handles = held(alice)
            return now_threads <= threads + SLACK and now_handles <= handles + SLACK

        wait_until(is_small, 15, f"from {threads} threads and {handles} handles: {held(alice)}")

    alice.api.post(f"/api/runs/{run_id}/cancellations/")
