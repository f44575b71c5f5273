"""manage.py serve: it says where, answers there, and leaves nothing behind."""

import re
import socket
from collections.abc import Callable

import httpx

from tests.start.steps import START_SECONDS, Installation, Serving

Start = Callable[..., Serving]


def test_the_printed_address_answers_at_once_the_printed_admin_signs_in_and_a_kill_ends_all(
    serve: Start, installation: Installation
) -> None:
    name = re.search(r"name:\s+(\S+)", installation.printed)
    password = re.search(r"password:\s+(\S+)", installation.printed)
    assert name
    assert password

    serving = serve()
    with httpx.Client(base_url=serving.url, timeout=START_SECONDS) as browser:
        assert browser.get("/accounts/login/").status_code == 200
        form = {
            "csrfmiddlewaretoken": browser.cookies["csrftoken"],
            "username": name[1],
            "password": password[1],
        }
        assert browser.post("/accounts/login/", data=form).status_code == 302
        assert browser.get("/admin/").status_code == 200
    assert len(serving.output.splitlines()) == 1

    # With the demo tools, which are a process of their own.
    assert len(serving.processes) == 2
    serving.kill()
    assert serving.still_running() == []


def test_ctrl_c_ends_everything_while_an_answer_streams(
    serve: Start, installation: Installation
) -> None:
    serving = serve()
    token = installation.manage("create_api_token", "admin").stdout.strip()
    request = {"message": "Run the slow task for 60 seconds"}
    headers = {"Authorization": f"Bearer {token}"}

    with httpx.stream(
        "POST", f"{serving.url}/chat/stream", json=request, headers=headers, timeout=START_SECONDS
    ) as stream:
        lines = stream.iter_lines()
        next(line for line in lines if line == "event: tool_progress")
        serving.press_ctrl_c()
        rest = list(lines)

    assert len(serving.processes) == 2
    assert serving.still_running() == []
    assert "Traceback" not in serving.output
    # The stream ends, the answer does not: the next start goes on with it.
    assert not {"event: error", "event: done"} & set(rest)
    run_id = stream.headers["x-run-id"]
    again = serve()
    with httpx.stream(
        "GET", f"{again.url}/api/runs/{run_id}/events/", headers=headers, timeout=START_SECONDS
    ) as stream:
        results = [line for line in stream.iter_lines() if '"outcome": "lost"' in line]
    assert len(results) == 1


def test_without_the_demo_tools_one_process_starts_and_ends(serve: Start) -> None:
    serving = serve(DEMO_MCP_SERVER="false")
    assert serving.get("/healthz").status_code == 200
    assert len(serving.processes) == 1

    serving.terminate()

    assert serving.still_running() == []
    assert "Traceback" not in serving.output


def test_a_taken_port_is_one_sentence(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = installation.manage("serve", PORT=str(port))

    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert f"Port {port} is in use." in ended.stderr
    assert f"PORT={port + 1} make run" in ended.stderr
