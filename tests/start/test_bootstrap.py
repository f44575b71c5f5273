"""chatsite/bootstrap.py, in a folder of its own with nothing to install."""

import ast
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.servers.site import ROOT

NOBODY = 65534
BOOTSTRAP = ROOT / "chatsite" / "bootstrap.py"
KEY = re.compile(r"^SECRET_KEY=(\S{50,})$", re.MULTILINE)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which it ran once: a virtual environment takes seconds to make."""
    folder = checkout(tmp_path_factory.mktemp("bootstrap"))
    assert run_in(folder).returncode == 0
    return folder


def checkout(folder: Path) -> Path:
    (folder / "chatsite").mkdir()
    shutil.copy(BOOTSTRAP, folder / "chatsite")
    (folder / "requirements.txt").write_text("# nothing\n")
    return folder


def run_in(
    folder: Path, *arguments: str, python: str = sys.executable, user: int | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "SECRET_KEY"}
    return subprocess.run(
        [python, "chatsite/bootstrap.py", *arguments],
        cwd=folder,
        env=environment,
        user=user,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_it_writes_a_key_that_only_the_owner_can_read(prepared: Path) -> None:
    path = prepared / ".env"

    assert KEY.search(path.read_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_second_start_changes_nothing_and_says_nothing(prepared: Path) -> None:
    before = (prepared / ".env").read_text()

    again = run_in(prepared)

    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert (prepared / ".env").read_text() == before


def test_settings_that_are_there_are_kept(prepared: Path) -> None:
    path = prepared / ".env"
    path.write_text("SITE_NAME=Harbour\n#SECRET_KEY=\nPORT=8001")

    run_in(prepared)
    run_in(prepared)

    text = path.read_text()
    assert text.startswith("SITE_NAME=Harbour\n#SECRET_KEY=\nPORT=8001\nSECRET_KEY=")
    assert len(KEY.findall(text)) == 1


@pytest.mark.parametrize(
    "line", ["SECRET_KEY = abc", "export SECRET_KEY=abc", "\ufeffSECRET_KEY=abc"]
)
def test_a_key_that_is_there_is_not_written_again(prepared: Path, line: str) -> None:
    path = prepared / ".env"
    path.write_text(f"{line}\n", encoding="utf-8")

    run_in(prepared)

    assert path.read_text(encoding="utf-8") == f"{line}\n"


def test_a_file_in_another_encoding_is_one_sentence(prepared: Path) -> None:
    (prepared / ".env").write_bytes("SITE_NAME=Häfen\n".encode("latin-1"))

    ended = run_in(prepared)

    assert (ended.returncode, ended.stderr) == (1, ".env is not UTF-8; save it as UTF-8.\n")


def test_where_the_settings_are_elsewhere_no_env_is_written(prepared: Path) -> None:
    (prepared / ".env").unlink(missing_ok=True)

    assert run_in(prepared, "--without-env").returncode == 0

    assert not (prepared / ".env").exists()


def test_an_environment_that_was_half_made_is_made_again(prepared: Path) -> None:
    for name in prepared.glob(".venv/lib/python*/site-packages/pip"):
        shutil.rmtree(name)
    for stamp in prepared.glob(".venv/installed-*"):
        stamp.unlink()

    again = run_in(prepared)

    assert again.returncode == 0, again.stderr
    assert run_in(prepared).stdout == ""


def test_other_requirements_are_installed(prepared: Path) -> None:
    (prepared / "requirements.txt").write_text("# still nothing, but other words\n")

    assert "Installing" in run_in(prepared).stdout
    assert run_in(prepared).stdout == ""


def test_what_a_file_includes_is_installed_when_it_changes(prepared: Path) -> None:
    (prepared / "requirements-dev.txt").write_text("-r requirements-more.txt\n")
    (prepared / "requirements-more.txt").write_text("# nothing\n")
    said = [run_in(prepared, "requirements-dev.txt").stdout for _ in range(2)]
    (prepared / "requirements-more.txt").write_text("# nothing, but new\n")

    assert "Installing" in said[0]
    assert said[1] == ""
    assert "Installing" in run_in(prepared, "requirements-dev.txt").stdout


def test_tools_get_a_folder_of_their_own(prepared: Path) -> None:
    before = sorted(path.name for path in (prepared / ".venv").iterdir())
    (prepared / "requirements-tools.txt").write_text("# nothing\n")
    # To make one takes seconds.
    shutil.copytree(prepared / ".venv", prepared / ".venv-tools", symlinks=True)

    done = run_in(prepared, "--into", ".venv-tools", "requirements-tools.txt")

    assert "into .venv-tools" in done.stdout
    assert (prepared / ".venv-tools" / "installed-requirements-tools").exists()
    assert sorted(path.name for path in (prepared / ".venv").iterdir()) == before


def test_an_old_python_can_read_it() -> None:
    ast.parse(BOOTSTRAP.read_text(), feature_version=(3, 8))


def test_a_folder_that_cannot_be_written_is_one_sentence() -> None:
    # Not in pytest's own folder: only its owner may enter that.
    with tempfile.TemporaryDirectory() as name:
        folder = checkout(Path(name))
        folder.chmod(0o555)
        ended = run_in(folder, **somebody_who_may_not_write())

    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert f"Give yourself the right to write in this folder: {folder}" in ended.stderr


def somebody_who_may_not_write() -> dict[str, Any]:
    """The superuser may write anywhere, so it becomes nobody, with a Python nobody may run."""
    if os.geteuid() != 0:
        return {}
    return {"user": NOBODY, "python": shutil.which("python3", path="/usr/local/bin:/usr/bin")}
