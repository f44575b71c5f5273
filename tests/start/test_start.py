"""Starting and stopping as a person does, with real processes in folders of their own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.servers.site import ROOT, free_port
from tests.sse import wait_until


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return os.environ | {
        "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
        "PORT": str(free_port()),
        "ADMIN_USERNAME": "chief",
    }


def manage(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def served(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    assert manage(environment, "setup").returncode == 0
    process = subprocess.Popen(
        [sys.executable, "manage.py", "serve"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{environment['PORT']}/healthz"
    wait_until(lambda: answers(url), 30, "the site answers")
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
    assert process.stdout
    process.stdout.close()


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1).status_code == 200
    except httpx.TransportError:
        return False


def demo_server_of(process: subprocess.Popen[str]) -> psutil.Process:
    children = psutil.Process(process.pid).children(recursive=True)
    return next(child for child in children if "chat.mcp.demo_server" in child.cmdline())


def test_ctrl_c_stops_everything(served: subprocess.Popen[str]) -> None:
    demo = demo_server_of(served)

    began = time.monotonic()
    os.killpg(served.pid, signal.SIGINT)
    served.wait(10)
    wait_until(lambda: not demo.is_running(), 5, "the demo tools end")

    assert time.monotonic() - began < 10
    assert served.stdout
    output = served.stdout.read()
    assert "is running at http://127.0.0.1:" in output
    assert "Traceback" not in output


def test_a_killed_server_takes_its_demo_tools_along(served: subprocess.Popen[str]) -> None:
    demo = demo_server_of(served)

    served.kill()

    wait_until(lambda: not demo.is_running(), 5, "the demo tools end")


def test_a_taken_port_is_one_sentence(
    served: subprocess.Popen[str], environment: dict[str, str]
) -> None:
    second = manage(environment, "serve")

    assert second.returncode == 1
    assert f"Port {environment['PORT']}" in second.stderr
    assert "PORT=" in second.stderr
    assert "Traceback" not in second.stderr


def test_setup_makes_one_admin_and_prints_the_password_once(environment: dict[str, str]) -> None:
    first = manage(environment, "setup")
    second = manage(environment, "setup")

    assert first.stdout.count("password:") == 1
    assert "chief" in first.stdout
    assert (second.returncode, second.stdout) == (0, "")


def test_a_token_is_printed_alone(environment: dict[str, str]) -> None:
    manage(environment, "setup")

    made = manage(environment, "create_api_token", "chief")
    unknown = manage(environment, "create_api_token", "nobody")

    assert made.stdout.startswith("fl_")
    assert len(made.stdout.split()) == 1
    assert unknown.returncode == 1
    assert "nobody" in unknown.stderr


def test_ask_prints_tokens_and_tool_lines(environment: dict[str, str]) -> None:
    plain = manage(environment, "ask", "18% of 249.90")
    frames = manage(environment, "ask", "--sse", "18% of 249.90")

    assert "→ calculate" in plain.stdout
    assert "44.982" in plain.stdout
    assert frames.stdout.startswith("id: 1\nevent: reasoning\ndata: ")
    assert "\nevent: done\n" in frames.stdout


def test_settings_that_make_no_sense_are_one_sentence(environment: dict[str, str]) -> None:
    for name, value in {
        "MAX_TOOL_ITERATIONS": "many",
        "LLM_BASE_URL": "localhost:11434",
        "ALLOWED_HOSTS": "*",
        "SQLITE_SYNCHRONOUS": "OFF",
        "SECRET_KEY": "",
        "HTTPS": "maybe",
    }.items():
        failed = manage(environment | {name: value}, "check")
        assert failed.returncode == 1, name
        assert failed.stderr.startswith("Configuration: "), failed.stderr
        assert name in failed.stderr


def test_env_is_written_once_with_a_key_of_its_own(tmp_path: Path) -> None:
    script = (ROOT / "chatsite" / "bootstrap.py").read_text()
    (tmp_path / "chatsite").mkdir()
    (tmp_path / "chatsite" / "bootstrap.py").write_text(script)
    code = "from chatsite import bootstrap; bootstrap.write_env()"
    environment = {name: value for name, value in os.environ.items() if name != "SECRET_KEY"}
    written = []
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
        written.append((tmp_path / ".env").read_text())

    assert written[0] == written[1]
    assert written[0].count("SECRET_KEY=") == 1
    assert len(written[0].split("SECRET_KEY=")[1].strip()) >= 50
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
