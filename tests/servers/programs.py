"""Programs of this machine that tests start as private servers, thrown away afterwards."""

import os
import pwd
import shutil
import tempfile
from pathlib import Path

import pytest

DEBIAN = Path("/usr/lib/postgresql")


def find(name: str) -> str | None:
    """The path of a program; Debian keeps PostgreSQL's, by version, out of PATH."""
    found = sorted(DEBIAN.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    return str(found[-1]) if found else shutil.which(name) or shutil.which(name, path="/usr/sbin")


def need(*names: str) -> None:
    """Skip a test where a program is not installed; with CI set, fail it."""
    missing = [name for name in names if find(name) is None]
    if missing and os.environ.get("CI"):
        pytest.fail(f"not installed: {', '.join(missing)}")
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def unprivileged() -> dict[str, int]:
    """Popen's options for a program that refuses root; empty where we are somebody else."""
    if os.geteuid():
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid}


def folder_of(prefix: str, owner: dict[str, int]) -> Path:
    """A new temporary folder that belongs to `owner` (see unprivileged)."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    if owner:
        os.chown(folder, owner["user"], owner["group"])
    return folder
