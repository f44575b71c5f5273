"""How MCP servers and their tools are: counted for all of them at once, in few queries."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, F, Q, QuerySet, TextChoices, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chat.admin.shown import duration
from chat.language import number
from chat.models import MCPServer, MCPTool, ToolRun, ToolRunState

DAYS = 7
# Of so many, the newest, the durations are looked at.
MAX_TIMED = 5_000
FAILED = (ToolRunState.TOOL_ERROR, ToolRunState.TIMEOUT, ToolRunState.LOST, ToolRunState.BLOCKED)


class ToolState(TextChoices):
    """What has become of a tool; the first of these that is true of it."""

    GONE = "gone", _("not listed any more")
    BROKEN = "broken", _("broken")
    OFF = "off", _("switched off")
    CHANGED = "changed", _("changed, needs a review")
    OFFERED = "offered", _("offered")


# A tool that is switched off waits for nobody: whoever switched it off has decided.
TOOL_STATE = Case(
    When(is_listed=False, then=Value(ToolState.GONE)),
    When(~Q(problem=""), then=Value(ToolState.BROKEN)),
    When(is_enabled=False, then=Value(ToolState.OFF)),
    When(~Q(fingerprint=F("accepted_fingerprint")), then=Value(ToolState.CHANGED)),
    default=Value(ToolState.OFFERED),
)


@dataclass(kw_only=True, slots=True)
class Health:
    """Of one server: its tools by state, and its calls of the last DAYS days."""

    tools: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    # In milliseconds, of the newest MAX_TIMED calls of all that were asked about.
    durations: list[int] = field(default_factory=list)

    @property
    def tools_shown(self) -> str:
        order = (ToolState.OFFERED, ToolState.CHANGED, ToolState.BROKEN, ToolState.OFF)
        words = (gettext("offered"), gettext("changed"), gettext("broken"), gettext("off"))
        counted = zip(order, words, strict=True)
        parts = [f"{self.tools[state]} {word}" for state, word in counted if self.tools[state]]
        return ", ".join(parts) or gettext("none")

    @property
    def calls_shown(self) -> str:
        """How many, and how many of them failed."""
        total, failed = self.calls.total(), sum(self.calls[state] for state in FAILED)
        if not failed:
            return number(total)
        counts = {"total": number(total), "failed": number(failed)}
        return gettext("%(total)s, %(failed)s failed") % counts

    @property
    def outcomes_shown(self) -> str:
        labels = dict(ToolRunState.choices)
        parts = [f"{labels[state]} {number(count)}" for state, count in self.calls.most_common()]
        return " · ".join(parts) or gettext("no calls")

    @property
    def durations_shown(self) -> str:
        if not self.durations:
            return ""
        ordered = sorted(self.durations)
        return " · ".join(f"p{part} {duration(percentile(ordered, part))}" for part in (50, 95))


def percentile(ordered: list[int], part: int) -> int:
    """The least value that `part` percent of all do not exceed."""
    return ordered[max(0, -(-len(ordered) * part // 100) - 1)]


def tools_with_state() -> QuerySet[Any]:
    """Each with its ToolState as `shown_state`."""
    return MCPTool.objects.annotate(shown_state=TOOL_STATE)


def waiting_tools() -> QuerySet[Any]:
    """Those that wait for a review."""
    return tools_with_state().filter(shown_state=ToolState.CHANGED)


def health_of(servers: Iterable[MCPServer]) -> dict[UUID, Health]:
    """In three queries, however many servers and calls there are."""
    healths = {server.pk: Health() for server in servers}
    tools = tools_with_state().filter(server__in=healths).order_by()
    counted = tools.values_list("server", "shown_state").annotate(count=Count("pk"))
    for pk, state, count in counted:
        healths[pk].tools[state] = count
    recent = _recent(healths)
    for pk, state, count in recent.values_list("of", "outcome").annotate(count=Count("pk")):
        healths[pk].calls[state] = count
    timed = recent.exclude(duration_ms=None).order_by("-created_at")
    for pk, milliseconds in timed.values_list("of", "duration_ms")[:MAX_TIMED]:
        healths[pk].durations.append(milliseconds)
    return healths


def _recent(servers: Iterable[UUID]) -> QuerySet[Any]:
    since = timezone.now() - timedelta(days=DAYS)
    # As expressions: an index on the server or on the state would lead through all of the past.
    plain = {"of": Coalesce("server", "server"), "outcome": Coalesce("state", "state")}
    runs: QuerySet[Any] = ToolRun.objects.annotate(**plain).order_by()
    return runs.filter(created_at__gte=since, of__in=list(servers))
