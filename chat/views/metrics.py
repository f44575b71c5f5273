"""Figures for Prometheus: of this process, and those that only the database has.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import asyncio
import logging
from collections.abc import Iterator
from secrets import compare_digest

from django.conf import settings
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from chat.models import ACTIVE_STATUSES, AgentRun, MCPServer
from chat.runs.engine import Engine, engine
from chat.runs.metrics import REGISTRY
from chat.runs.pool import AWAY_ERRORS, in_pool
from chat.runs.recovery import orphans

logger = logging.getLogger(__name__)


class Found(Collector):
    """Gauges as they were a moment ago."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)


async def metrics(request: HttpRequest) -> HttpResponse:
    """The text format. 404 without METRICS_TOKEN in the settings, 401 without it in the request.

    Where the database is away: the figures of this process, and that it is.
    """
    if not settings.METRICS_TOKEN:
        return HttpResponse(status=404)
    if not _is_theirs(request):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    if request.method not in {"GET", "HEAD"}:
        return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})
    found = _living(engine())
    try:
        found += await in_pool(_stored)
    except AWAY_ERRORS:
        logger.warning("The figures of the database are left out: it is away")
        found.append(_gauge("ferryline_database_up", "Whether the database answers", 0))
    body = await in_pool(_written, found)
    response = HttpResponse(body, content_type=CONTENT_TYPE_PLAIN_0_0_4)
    response.headers["Cache-Control"] = "no-store"
    return response


def _is_theirs(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    given = token.strip().encode(errors="surrogateescape")
    return scheme.lower() == "bearer" and compare_digest(given, settings.METRICS_TOKEN.encode())


def _living(house: Engine) -> list[Metric]:
    """What is going on in this process right now."""
    return [
        _gauge("ferryline_open_streams", "Open event streams of this process", house.readers),
        _gauge("ferryline_process_runs", "Runs that live in this process", len(house.works)),
        _gauge("ferryline_tasks", "Tasks of this process's event loop", len(asyncio.all_tasks())),
        _gauge(
            "ferryline_journal_waiting_events",
            "Rows of events that wait to be stored by this process",
            house.journal.waiting,
        ),
    ]


def _stored() -> list[Metric]:
    """What all processes share: the same from each of them, not to be summed."""
    active = AgentRun.objects.filter(status__in=ACTIVE_STATUSES).order_by()
    runs = dict(active.values_list("status").annotate(count=Count("pk")))
    servers = MCPServer.objects.filter(is_enabled=True).order_by()
    states = dict(servers.values_list("state").annotate(count=Count("pk")))
    return [
        _gauge("ferryline_database_up", "Whether the database answers", 1),
        _gauges(
            *("ferryline_active_runs", "Runs that are not over, in the database"),
            *("status", {status.value: runs.get(status, 0) for status in ACTIVE_STATUSES}),
        ),
        _gauge(
            "ferryline_orphaned_runs",
            "Runs in the database whose process is silent: another one is to go on with them",
            len(orphans()),
        ),
        _gauges(
            *("ferryline_mcp_servers", "MCP servers that are used, in the database", "state"),
            {state.value: states.get(state, 0) for state in MCPServer.State},
        ),
    ]


def _written(found: list[Metric]) -> bytes:
    moment = CollectorRegistry()
    moment.register(Found(found))
    return generate_latest(REGISTRY) + generate_latest(moment)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _gauges(name: str, text: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
