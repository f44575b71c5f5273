"""/metrics: over HTTP, read with Prometheus' own parser, for whoever has its token."""

from collections.abc import Callable

import httpx
from prometheus_client.parser import text_string_to_metric_families

from chat.models import ToolRunState
from tests.people import Person
from tests.servers.site import Site
from tests.sse import ask, begin, read, wait_until

TOKEN = "a token for Prometheus in tests"
AUTHORISED = {"Authorization": f"Bearer {TOKEN}"}
CALL = '[[call echo {"text": "hello"}]]'
Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(site: Site) -> Figures:
    answer = httpx.get(f"{site.url}/metrics", headers=AUTHORISED)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_what_happened_is_counted_and_what_goes_on_is_told(
    new_site: Callable[..., Site], alice: Person
) -> None:
    site = new_site(METRICS_TOKEN=TOKEN)

    def figure(name: str, **labels: str) -> float:
        return scrape(site)[f"ferryline_{name}", frozenset(labels.items())]

    with httpx.Client(base_url=site.url, headers=alice.headers, timeout=30) as api:
        ask(api, f"[[usage 30 4 0.5]]{CALL}[[then]][[usage 5 1 0.25]][[text hi]]")
        ask(api, "[[call invented-by-the-model {}]][[then]][[status 401]]")
        long = begin(api, "[[tokens 5000 delay 20]]")

        with api.stream("GET", f"/api/runs/{long['run_id']}/events/") as stream:
            chunks = stream.iter_raw()
            next(chunks)
            wait_until(lambda: figure("open_streams") == 1)
            assert figure("process_runs") == 1
            assert figure("active_runs", status="running") >= 1
        api.post(f"/api/runs/{long['run_id']}/cancellations/")
        read(api, long["run_id"])

    wait_until(lambda: figure("open_streams") == figure("process_runs") == 0)
    found = scrape(site)
    assert figure("run_starts_total") == 3
    for status in ("completed", "failed", "cancelled"):
        assert figure("run_duration_seconds_count", status=status) == 1
    assert figure("tool_calls_total", server="main", outcome="ok") == 1
    assert figure("tool_calls_total", server="other", outcome="blocked") == 1
    assert figure("tool_call_duration_seconds_count", server="main") == 1
    assert figure("tokens_total", model="scripted", direction="input") == 35
    assert figure("tokens_total", model="scripted", direction="output") == 5
    assert figure("cost_dollars_total", model="scripted") == 0.75
    commits = figure("journal_commit_duration_seconds_count")
    assert figure("journal_batch_events_count") >= commits > 3
    assert figure("journal_batch_events_sum") > 10
    assert figure("journal_waiting_events") == figure("orphaned_runs") == 0
    assert figure("mcp_servers", state="ready") >= 1
    assert figure("database_up") == 1
    assert found["process_open_fds", frozenset()] > 5
    assert found["process_resident_memory_bytes", frozenset()] > 10_000_000
    # Nothing that grows with what people and models do.
    values = {value for _, labels in found for _, value in labels}
    assert not {long["run_id"], alice.username, "invented-by-the-model"} & values
    outcomes = {value for _, labels in found for name, value in labels if name == "outcome"}
    assert outcomes <= set(ToolRunState.values)


def test_only_the_token_opens_it(new_site: Callable[..., Site], alice: Person, site: Site) -> None:
    guarded = new_site(METRICS_TOKEN=TOKEN)
    wrong = ({}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": f"Basic {TOKEN}"})

    for headers in (*wrong, {"Authorization": "Bearer ü"}, alice.headers):
        raw = {name: value.encode() for name, value in headers.items()}
        answer = httpx.get(f"{guarded.url}/metrics", headers=raw)
        assert (answer.status_code, answer.text) == (401, "")
    assert httpx.post(f"{guarded.url}/metrics", headers=AUTHORISED).status_code in {403, 405}
    # Where none is set there is nothing, for nobody.
    for headers in (AUTHORISED, alice.headers, {}):
        assert httpx.get(f"{site.url}/metrics", headers=headers).status_code == 404
