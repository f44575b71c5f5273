"""Schemathesis against the API: what it sends is answered as the document says, and never by a 5xx.

FUZZ_SECONDS=600 makes a longer run of other examples by hand.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chat.models import Quota, ToolRun
from tests.people import Person
from tests.sse import begin, read

SECONDS = int(os.environ.get("FUZZ_SECONDS") or 0)
EXAMPLES = 3
# As many as it can; without FUZZ_SECONDS the same ones each time.
HOW = ["--max-time", str(SECONDS)] if SECONDS else ["-n", str(EXAMPLES), "--seed", "1"]
# Not that what the document does not name is refused: unknown headers and fields are passed over.
CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
    *("response_headers_conformance", "response_schema_conformance"),
    *("unsupported_method", "allow_header_conformance", "ignored_auth"),
)


@pytest.mark.slow
def test_schemathesis_finds_nothing(alice: Person, tmp_path: Path) -> None:
    Quota.objects.create(person=alice.user, runs_per_minute=1_000_000, active_runs=1_000)
    said, config = len(alice.site.log), tmp_path / "schemathesis.toml"
    config.write_text(_config(alice))

    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"),
            f"{alice.site.url}/api/openapi.json",
            *("--header", f"Authorization: Bearer {alice.token}", "--checks", ",".join(CHECKS)),
            *("--phases", "coverage,fuzzing", "--suppress-health-check", "all", "--no-shrink"),
            # There is none without its token: tests/wire/test_metrics.py.
            *("--exclude-path", "/metrics"),
            *("--request-timeout", "20", "--warnings", "off", *HOW),
        ],
        capture_output=True,
        text=True,
        timeout=SECONDS + 400,
        cwd=tmp_path,
    )

    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    assert alice.api.get("/healthz").status_code == 200
    assert "Traceback" not in alice.site.log[said:]


def _config(alice: Person) -> str:
    """Ids of what there is, so that not everything is a 404. One conversation is to be deleted."""
    kept, doomed = (begin(alice.api, "[[call picture]][[then]][[text A]]") for _ in range(2))
    seen = [frame for one in (kept, doomed) for frame in read(alice.api, one["run_id"])]
    files = [it["url"] for frame in seen for it in frame.data.get("attachments", ())]
    ids = {
        r"/api/conversations/\\{id\\}/.+": kept["conversation_id"],
        r"/api/conversations/\\{id\\}/$": doomed["conversation_id"],
        "/api/runs/": kept["run_id"],
        "/api/tool-runs/": str(ToolRun.objects.get(run=kept["run_id"]).pk),
        "/attachments/": files[0].split("/")[2],
    }
    return "\n".join(
        f'[[operations]]\ninclude-path-regex = "^{path}"\nparameters = {{ "path.id" = "{one}" }}\n'
        for path, one in ids.items()
    )
