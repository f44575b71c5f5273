"""How servers and their tools did: calls, failures, times, the last failure of each.

Calls are counted slot by slot in an index that has all that is counted; the times are those of the
newest MAX_TIMED calls. See docs/decisions/0019-quotas-and-figures.md.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Max

from chat.admin.figures.last_days import FAILED
from chat.admin.figures.spans import Slot, Span, counted
from chat.admin.health import percentile
from chat.admin.shown import duration
from chat.language import number
from chat.models import ToolRun, ToolRunState

MAX_TIMED = 20_000
# Models make names up: those called most are shown.
MAX_TOOLS = 200
# Server, tool, state, calls, the last one.
Row = tuple[str, str, str, int, datetime]
ERRORS = (ToolRunState.TOOL_ERROR, ToolRunState.LOST, ToolRunState.BLOCKED)


@dataclass(kw_only=True, slots=True)
class Figures:
    """Of one tool, or of all of a server."""

    name: str
    calls: Counter[str] = field(default_factory=Counter)
    durations: list[int] = field(default_factory=list)
    failed_at: datetime | None = None
    failed_state: str = ""
    last_failure: UUID | None = None

    def add(self, state: str, calls: int, last: datetime) -> None:
        self.calls[state] += calls
        if state in FAILED and (self.failed_at is None or last > self.failed_at):
            self.failed_at, self.failed_state = last, state

    @property
    def total(self) -> int:
        return self.calls.total()

    @property
    def shown(self) -> list[str]:
        """Calls, errors, time-outs, p50 and p95, as cells of a table."""
        errors = sum(self.calls[state] for state in ERRORS)
        counts = (self.total, errors, self.calls[ToolRunState.TIMEOUT])
        ordered = sorted(self.durations)
        times = [duration(percentile(ordered, part)) if ordered else "–" for part in (50, 95)]
        return [*map(number, counts), *times]

    @property
    def failure(self) -> str:
        return str(ToolRunState(self.failed_state).label) if self.failed_state else ""


@dataclass(kw_only=True, slots=True)
class ServerFigures(Figures):
    tools: dict[str, Figures] = field(default_factory=dict)

    @property
    def rows(self) -> list[Figures]:
        return sorted(self.tools.values(), key=lambda tool: -tool.total)


@dataclass(kw_only=True, slots=True)
class ToolHealth:
    """All of a span. `days` has for each slot the calls and those of them that failed."""

    servers: list[ServerFigures]
    days: list[tuple[Slot, int, int]]
    timed: int
    left_out: int


def tool_health(span: Span) -> ToolHealth:
    """A query for each slot that was not counted a moment ago, and two more."""
    servers: dict[str, ServerFigures] = {}
    days = []
    for slot, rows in counted("tools", span, _count):
        for server, tool, state, calls, last in rows:
            of_server = servers.setdefault(server, ServerFigures(name=server))
            of_server.add(state, calls, last)
            of_server.tools.setdefault(tool, Figures(name=tool)).add(state, calls, last)
        failed = sum(calls for _, _, state, calls, _ in rows if state in FAILED)
        days.append((slot, sum(row[3] for row in rows), failed))
    left_out = _keep_most_called(servers)
    timed = _add_durations(servers, span.slots()[0].start)
    _find_failures(servers)
    ordered = sorted(servers.values(), key=lambda server: -server.total)
    return ToolHealth(servers=ordered, days=days, timed=timed, left_out=left_out)


def _count(slot: Slot) -> list[Row]:
    calls = ToolRun.objects.filter(created_at__gte=slot.start, created_at__lt=slot.end).order_by()
    grouped = calls.values_list("server_name", "tool", "state")
    return list(grouped.annotate(calls=Count("*"), last=Max("created_at")))


def _keep_most_called(servers: dict[str, ServerFigures]) -> int:
    """How many tools were left out: their server's figures are with them all the same."""
    tools = [(tool.total, server, tool) for server in servers.values() for tool in server.rows]
    tools.sort(key=lambda found: -found[0])
    for _, server, tool in tools[MAX_TOOLS:]:
        del server.tools[tool.name]
    return len(tools[MAX_TOOLS:])


def _add_durations(servers: dict[str, ServerFigures], since: datetime) -> int:
    timed = ToolRun.objects.filter(created_at__gte=since, duration_ms__isnull=False)
    values = timed.order_by("-created_at").values_list("server_name", "tool", "duration_ms")
    newest = list(values[:MAX_TIMED])
    for server, tool, milliseconds in newest:
        if of_server := servers.get(server):
            of_server.durations.append(milliseconds or 0)
            if of_tool := of_server.tools.get(tool):
                of_tool.durations.append(milliseconds or 0)
    return len(newest)


def _find_failures(servers: dict[str, ServerFigures]) -> None:
    """Which call it was that failed last, of each tool."""
    failed = [
        (server.name, tool)
        for server in servers.values()
        for tool in server.tools.values()
        if tool.failed_at
    ]
    if not failed:
        return
    rows = ToolRun.objects.filter(created_at__in={tool.failed_at for _, tool in failed})
    values = rows.order_by().values_list("pk", "server_name", "tool", "created_at", "state")
    found = {(server, name, at): pk for pk, server, name, at, state in values if state in FAILED}
    for server_name, tool in failed:
        if tool.failed_at:
            tool.last_failure = found.get((server_name, tool.name, tool.failed_at))
