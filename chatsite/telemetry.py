"""Sentry and OpenTelemetry, where the environment asks for one of them; else neither is loaded.

What leaves the house are ids, names, times, kinds of errors and lines of code: no text of an error,
which may quote what somebody said.
"""

import logging
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from chat import log_ids

MISSING = "{name} is set, and what it needs is not installed: pip install -r {file}"
REQUIREMENTS = "requirements-telemetry.txt"


def begin() -> None:
    """Once per process that serves. Raises ImproperlyConfigured for what is not installed."""
    for name, start in (("SENTRY_DSN", _sentry), ("OTEL_EXPORTER_OTLP_ENDPOINT", _opentelemetry)):
        if place := getattr(settings, name):
            try:
                start(place)
            except ImportError as error:
                raise ImproperlyConfigured(MISSING.format(name=name, file=REQUIREMENTS)) from error
            except ValueError as error:
                # It holds a key: it is not quoted.
                raise ImproperlyConfigured(f"{name} is not an address that it takes.") from error


def _sentry(dsn: str) -> None:
    import sentry_sdk
    from sentry_sdk.integrations.logging import LoggingIntegration

    sentry_sdk.init(
        dsn,
        # All that goes wrong is logged; the others would look at requests, and change libraries.
        default_integrations=False,
        integrations=[LoggingIntegration(level=None, event_level=logging.ERROR)],
        include_local_variables=False,
        max_request_body_size="never",
        send_default_pii=False,
        before_send=without_text,
    )


def without_text(event: Any, hint: Any = None) -> Any:
    """An event of Sentry's with the pattern of its message, and ids."""
    entry = event.get("logentry") or {}
    event["logentry"] = {"message": entry.get("message", "")}
    for error in (event.get("exception") or {}).get("values", []):
        error["value"] = ""
    event["tags"] = log_ids.current()
    for more in ("extra", "breadcrumbs", "request", "user"):
        event.pop(more, None)
    return event


def _opentelemetry(endpoint: str) -> None:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
    from opentelemetry.trace import Status

    def bare(span: ReadableSpan) -> ReadableSpan:
        return ReadableSpan(
            name=span.name,
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes=span.attributes,
            kind=span.kind,
            status=Status(span.status.status_code),
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )

    class Exporter(OTLPSpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return super().export([bare(span) for span in spans])

    provider = TracerProvider(resource=Resource.create({"service.name": "ferryline"}))
    provider.add_span_processor(BatchSpanProcessor(Exporter(endpoint=f"{endpoint}/v1/traces")))
    trace.set_tracer_provider(provider)
