"""Measures the ledger's pages in one process: python -m tests.bench.ledger_pages ROWS ROUNDS.

The database is the environment's, and must be empty.
"""

import re
import resource
import sys
import time
from collections.abc import Iterator
from statistics import median

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402

from chat.ledger.filters import Filters  # noqa: E402
from chat.ledger.find import Ledger, Place  # noqa: E402
from chat.models import AgentRun, ToolRun  # noqa: E402
from chat.runs.upkeep.sealing import seal_all  # noqa: E402
from chat.runs.verification import Verification  # noqa: E402
from tests.bench.ledger_rows import fill  # noqa: E402

LIST = "/admin/chat/toolrun/"
FILTERS = (
    *("outcome=ok", "outcome=timeout", "outcome=running", "tool=tool_0", "tool=tool_60"),
    *("tool=nobody_asked_for", "server=server-1", "person=person-0", "person=person-190"),
    *("over_ms=1000", "over_ms=10000", "over_ms=60000", "since=7d", "until=2100-01-01"),
    *("approval=allowed", "approval=denied", "approval=open", "approval=none"),
    *("outcome=tool_error&tool=tool_0", "outcome=lost&server=server-7", "outcome=timeout&since=2d"),
    *("person=person-0&tool=tool_60", "person=person-190&outcome=timeout&tool=tool_0"),
    *("tool=tool_0&over_ms=60000", "tool=tool_0&approval=allowed", "tool=tool_0&server=server-1"),
    *("q=weather", "q=looks", "q=about", "q=tool_60", "q=call_777", "q=nothing_like_it"),
    *("q=garden&outcome=timeout", "q=harbour&person=person-0"),
)


def main() -> None:
    rows, rounds = map(int, sys.argv[1:])
    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    began = time.perf_counter()
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            # For the filling alone: keys at random are slow where no index fits into the cache.
            cursor.execute("PRAGMA cache_size = -600000")
        fill(rows)
        if connection.vendor == "postgresql":
            # As it does by itself after a while; SQLite is left as it is found.
            cursor.execute("VACUUM ANALYZE")
    connection.close()
    print(f"filled in {time.perf_counter() - began:.0f} s", flush=True)
    client = Client()
    client.force_login(User.objects.create(username="admin", is_staff=True, is_superuser=True))
    print(f"{'ms':<52}{'first':>8}{'p50':>8}{'p95':>8}{'CPU':>8}")
    for name, address in pages():
        (first, _), *rest = [milliseconds(client, address) for _ in range(rounds + 1)]
        took, busy = zip(*rest, strict=True)
        cells = (first, median(took), sorted(took)[int(len(took) * 0.95)], median(busy))
        print(f"{name:<52}" + "".join(f"{cell:>8.0f}" for cell in cells), flush=True)
    export()
    chain()


def pages() -> Iterator[tuple[str, str]]:
    yield "all", LIST
    middle, last = (Place(row.created_at, row.pk) for row in rows_in_the_middle_and_last())
    yield "all, in the middle", f"{LIST}?before={middle}"
    yield "all, the last page", f"{LIST}?after={last}"
    for text in FILTERS:
        yield text, f"{LIST}?{text}"
    run = AgentRun.objects.order_by("created_at")[1000]
    yield "conversation=…", f"{LIST}?conversation={run.conversation_id}"
    yield "one call", f"{LIST}{ToolRun.objects.filter(run=run)[0].pk}/change/"
    for text in ("health/?span=7d", "health/?span=30d", "usage/?span=30d", "usage/?span=90d"):
        yield text, f"/admin/{text}"


def rows_in_the_middle_and_last() -> tuple[ToolRun, ToolRun]:
    rows = ToolRun.objects.order_by("created_at", "pk")
    return rows[ToolRun.objects.count() // 2], rows[0]


def milliseconds(client: Client, address: str) -> tuple[float, float]:
    """How long it took, and this process's own time in it: SQLite's is part of that."""
    began, busy = time.perf_counter(), time.process_time()
    answer = client.get(address)
    took, busy = time.perf_counter() - began, time.process_time() - busy
    assert answer.status_code == 200, address
    assert not re.search("errornote|role=.alert", answer.text), address
    return took * 1000, busy * 1000


def export() -> None:
    """Of 20,000 calls, without the writing."""
    began, rows = time.perf_counter(), 0
    for chunk in Ledger(Filters()).chunks(500):
        rows += len(chunk)
        if rows >= 20_000:
            break
    print(f"export: {rows / (time.perf_counter() - began):,.0f} calls a second", flush=True)


def chain() -> None:
    """How long all calls take to get their place in the chain, and the chain to be verified."""
    began, busy = time.perf_counter(), time.process_time()
    seal_all()
    took, busy = time.perf_counter() - began, time.process_time() - busy
    print(f"sealed in {took:.0f} s, {busy:.0f} s of them this process's own")
    began, verification = time.perf_counter(), Verification()
    problems = sum(1 for _ in verification.problems())
    took = time.perf_counter() - began
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"verified in {took:.0f} s, with {most} MiB: {problems} problems")


if __name__ == "__main__":
    main()
