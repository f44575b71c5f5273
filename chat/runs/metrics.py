"""Figures of this process, counted as things happen; chat/views/metrics.py gives them out.

Counted per commit, step, call and run, never per event. Labels are few and of our own: no ids, no
names that a model made up.
"""

from collections.abc import Mapping

from django.conf import settings
from django.utils import timezone
from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

from chat.models import AgentRun, RunStatus

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900)
OTHER = "other"

_starts = Counter(
    "ferryline_run_starts", "Runs that were started in this process", registry=REGISTRY
)
_run_seconds = Histogram(
    "ferryline_run_duration_seconds",
    "From the start of a run to its end, of runs that ended in this process",
    ["status"],
    buckets=SECONDS,
    registry=REGISTRY,
)
_tool_calls = Counter(
    "ferryline_tool_calls",
    "Tool calls that ended in this process",
    ["server", "outcome"],
    registry=REGISTRY,
)
_tool_seconds = Histogram(
    "ferryline_tool_call_duration_seconds",
    "How long tool calls took, of this process",
    ["server"],
    buckets=SECONDS,
    registry=REGISTRY,
)
_tokens = Counter(
    "ferryline_tokens",
    "Tokens that models have read and written for this process, as far as they told",
    ["model", "direction"],
    registry=REGISTRY,
)
_cost = Counter(
    "ferryline_cost_dollars",
    "What this process' requests to models cost in US dollars, as far as they told",
    ["model"],
    registry=REGISTRY,
)
_commit_seconds = Histogram(
    "ferryline_journal_commit_duration_seconds",
    "From taking what waits to having it stored, of this process' journal",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
    registry=REGISTRY,
)
_batch_events = Histogram(
    "ferryline_journal_batch_events",
    "Rows of events in a commit of this process' journal; heartbeats alone are 0",
    buckets=(0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
    registry=REGISTRY,
)


def run_started() -> None:
    _starts.inc()


def run_ended(run: AgentRun, status: RunStatus) -> None:
    if run.started_at:
        seconds = (timezone.now() - run.started_at).total_seconds()
        _run_seconds.labels(status.value).observe(seconds)


def tool_call_ended(server: str, outcome: str, seconds: float) -> None:
    """`server`: its slug; empty where there is no such tool."""
    _tool_calls.labels(server or OTHER, outcome).inc()
    _tool_seconds.labels(server or OTHER).observe(seconds)


def step_ended(model_name: str, used: Mapping[str, float]) -> None:
    model = model_name if model_name in settings.LLM_MODELS else OTHER
    _tokens.labels(model, "input").inc(used.get("input_tokens", 0))
    _tokens.labels(model, "output").inc(used.get("output_tokens", 0))
    _cost.labels(model).inc(used.get("cost", 0))


def committed(events: int, seconds: float) -> None:
    _batch_events.observe(events)
    _commit_seconds.observe(seconds)
