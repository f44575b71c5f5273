"""Published MCP servers to test against: installed once for each state of what is pinned here.

    python -m tests.servers.real.install

Those for Node in `node_modules`, those for Python in an environment each. Without Node there are
none of the former, and the tests that want them are skipped; with CI in the environment nothing
may be skipped.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
NODE = HERE / "node_modules"
PYTHON = {name: HERE / f".venv-{name}" for name in ("time", "git")}


def program(name: str) -> str:
    """The path of an installed server's program, or the end of the test that wants it."""
    folders = [NODE / ".bin", *(folder / "bin" for folder in PYTHON.values())]
    found = next((str(f / name) for f in folders if (f / name).exists()), None)
    if found and (shutil.which("node") or not found.startswith(str(NODE))):
        return found
    reason = f"{name} is not installed: `make test` does it, where there are node and npm"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def main() -> None:
    for name, folder in PYTHON.items():
        pinned = HERE / f"{name}.txt"
        once(folder, [pinned], lambda folder=folder, pinned=pinned: install_python(folder, pinned))
    if shutil.which("npm") and shutil.which("node"):
        once(NODE, [HERE / "package.json", HERE / "package-lock.json"], install_node)
    elif os.environ.get("CI"):
        sys.exit("Node and npm are missing: tests would be skipped.")
    else:
        print("Without node and npm the tests against servers for Node are skipped.")


def once(folder: Path, pinned: list[Path], install: Callable[[], None]) -> None:
    """Install into the folder, if it was not done for exactly this."""
    state = hashlib.sha256(b"".join(file.read_bytes() for file in pinned)).hexdigest()
    stamp = folder / ".installed"
    if not stamp.exists() or stamp.read_text() != state:
        shutil.rmtree(folder, ignore_errors=True)
        install()
        stamp.write_text(state)


def install_python(folder: Path, pinned: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
    command = [folder / "bin" / "python", "-m", "pip", "install", *options, "-r", pinned]
    subprocess.run(command, check=True)


def install_node() -> None:
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(["npm", "ci", *options], check=True, cwd=HERE, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
