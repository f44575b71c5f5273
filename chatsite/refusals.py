"""Combinations of settings that would lose or give away something: refused at the start."""

import multiprocessing
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

# SQLite's write-ahead log is shared memory: of one machine.
NETWORK = re.compile(
    r"(nfs\d?|cifs|smb\d?|smbfs|afs|ceph|lustre|gfs2|ocfs2|(fuse\.)?(glusterfs|sshfs))"
)
MOUNTS = Path("/proc/mounts")


def processes_here(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """How many workers uvicorn was asked for, where it is uvicorn that runs us."""
    line = " ".join(arguments)
    if "uvicorn" not in " ".join(arguments[:1]):
        return 1
    found = re.search(r"--workers[ =](\d+)", line)
    text = found[1] if found else environment.get("WEB_CONCURRENCY", "1")
    return int(text) if text.isdigit() else 1


def lonely(processes: int, redis_url: str) -> str:
    if processes > 1 and not redis_url:
        return (
            f"{processes} processes are to serve this site, and each would keep its news to "
            "itself: set REDIS_URL, as in redis://127.0.0.1:6379/0, or let one process serve."
        )
    return ""


def far_away(database: Path, mounts: str) -> str:
    """`mounts`: as /proc/mounts has them."""
    kind = _file_system(database, mounts)
    if NETWORK.fullmatch(kind):
        return (
            f"The SQLite database {database} is on a network file system ({kind}), where several "
            "machines would ruin it: move it to a disk, or set DATABASE_URL to a PostgreSQL."
        )
    return ""


def _file_system(path: Path, mounts: str) -> str:
    """The kind of the innermost one that `path` is in; "" where nothing is known."""
    rows = (line.split() for line in mounts.splitlines())
    places = [(row[1].replace("\\040", " "), row[2]) for row in rows if len(row) > 2]
    inside = [(place, kind) for place, kind in places if path.is_relative_to(place)]
    return max(inside, key=lambda pair: len(pair[0]), default=("", ""))[1]


def writable_programs(config: Path) -> str:
    """Who breaks into the server must not choose what programs it starts the next time."""
    ours = config.exists() and config.stat().st_uid == os.geteuid()
    for path in (config, config.parent):
        if ours or os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            return (
                f"MCP_CONFIG starts programs, and this server may write to {path}: give the file "
                "and its folder to another user, such as root, and let this one only read it."
            )
    return ""


def mounts() -> str:
    return MOUNTS.read_text(errors="replace") if MOUNTS.exists() else ""


def refuse(problem: Exception) -> NoReturn:
    """End this process with one sentence, whatever server it is of."""
    # uvicorn would start a worker that ends again and again, for ever.
    if (manager := multiprocessing.parent_process()) and manager.pid:
        os.kill(manager.pid, signal.SIGTERM)
    sys.exit(f"Configuration: {problem}")
