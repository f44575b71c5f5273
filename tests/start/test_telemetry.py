"""Sentry and OpenTelemetry, received by servers here: ids and names, and nothing that was said."""

import gzip
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.people import Person
from tests.servers.site import ROOT, Site
from tests.sse import begin, read, wait_until
from tests.start.steps import Installation

FAILING = """
import django, logging, sentry_sdk
django.setup()
from chat import log_ids
from chatsite import telemetry
telemetry.begin()
log_ids.run_id.set("run-17")
try:
    raise ValueError("Dear diary")
except ValueError:
    logging.getLogger("chat").exception("Run %s failed", "my diary")
sentry_sdk.flush(10)
"""


class Collector(ThreadingHTTPServer):
    """Takes all that is posted to it; `bodies` has each, unpacked."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        super().__init__(("127.0.0.1", 0), Taker)
        self.place = f"127.0.0.1:{self.server_port}"


class Taker(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        packed = self.headers.get("Content-Encoding") == "gzip"
        self.server.bodies.append(gzip.decompress(body) if packed else body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_sentry_gets_what_went_wrong_and_where(bare: Installation, collector: Collector) -> None:
    dsn = f"http://0123456789abcdef@{collector.place}/1"
    subprocess.run(
        [sys.executable, "-c", FAILING],
        cwd=ROOT,
        env=bare.environment | {"SENTRY_DSN": dsn},
        check=True,
    )

    (sent,) = collector.bodies
    for word in (b"ValueError", b"Run %s failed", b"run-17"):
        assert word in sent
    assert b"diary" not in sent


def test_what_sentry_does_not_take_is_a_sentence(bare: Installation) -> None:
    environment = bare.environment | {"SENTRY_DSN": "https://without-a-key.example"}
    command = [sys.executable, "-c", FAILING]
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True
    )

    assert "ImproperlyConfigured: SENTRY_DSN is not an address" in ended.stderr


def test_a_collector_gets_answers_and_their_tool_calls(
    new_site: Callable[..., Site], alice: Person, collector: Collector
) -> None:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{collector.place}",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    site = new_site(**environment)
    with alice.api as api:
        api.base_url = site.url
        run_id = begin(api, '[[call fail {"text": "my diary"}]][[then]][[text diary]]')["run_id"]
        read(api, run_id)

    run = wait_until(lambda: named("run", collector), what="the span of the answer")
    call = wait_until(
        lambda: named("MCP send tools/call fail", collector), what="that of the tool call"
    )
    assert {a.key: a.value.string_value for a in run.attributes} == {"ferryline.run": run_id}
    assert call.trace_id == run.trace_id
    assert not any(b"diary" in body for body in collector.bodies)


def named(name: str, collector: Collector) -> Span | None:
    requests = [ExportTraceServiceRequest.FromString(body) for body in list(collector.bodies)]
    spans = [
        span
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    return next((span for span in spans if span.name == name), None)
