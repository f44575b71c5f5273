"""Writes docs/licences.md: the licence of everything that production may run. `make licences`."""

import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from packaging.markers import Marker

ROOT = Path(__file__).resolve().parent.parent
# Production runs the first always, the second where Sentry or OpenTelemetry are wanted.
LOCKS = [ROOT / "requirements.txt", ROOT / "requirements-telemetry.txt"]
PAGE = ROOT / "docs" / "licences.md"
PINNED = re.compile(r"^([\w.-]+)(?:\[[\w,-]+\])?==([^\s;\\]+)(.*)$", re.MULTILINE)
# Words for the same, as packages have them.
SAME = {
    **dict.fromkeys(("BSD License", "BSD", "BSD-3-Clause License", "3-Clause BSD License"), "BSD"),
    **dict.fromkeys(("MIT License", "The MIT License (MIT)"), "MIT"),
    **dict.fromkeys(("Apache Software License", "Apache 2", "Apache License 2.0"), "Apache-2.0"),
    **dict.fromkeys(("Apache 2.0", "Apache License, Version 2.0"), "Apache-2.0"),
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "ISC License (ISCL)": "ISC",
}
# As their LICENSE says: their metadata say nothing that could be compared.
READ = {"httpx-aiohttp": "BSD-3-Clause", "qrcode": "BSD-3-Clause AND MIT"}
# One system stands for all, so that the page is the same wherever it is made.
SYSTEM = {
    "python_full_version": "3.12.0",
    "sys_platform": "linux",
    "platform_python_implementation": "CPython",
    "implementation_name": "cpython",
}
HEAD = """# Licences

What `make run` installs, and what `requirements-telemetry.txt` adds, with the licence of each. Made
by `make licences`; a test holds it, and that each licence is among those that may be used
(`tests/test_supply.py`). What is vendored names its own:
[static/vendor](../static/vendor/README.md), [static/fonts](../static/fonts/README.md).

| package | licence |
|---|---|
"""


def pinned() -> dict[str, str]:
    """What is installed with CPython on Linux, by name, with its version."""
    found = PINNED.findall("\n".join(lock.read_text() for lock in LOCKS))
    parted = [(name, version, marker.strip(" \\").lstrip("; ")) for name, version, marker in found]
    return {
        name: version
        for name, version, marker in parted
        if not marker or Marker(marker).evaluate(SYSTEM)
    }


def licence_of(name: str) -> str:
    """As its package says; raises PackageNotFoundError."""
    if name in READ:
        return READ[name]
    told = metadata(name)
    if expression := told.get("License-Expression"):
        return expression
    classified = [
        it.rpartition(" :: ")[2]
        for it in told.get_all("Classifier", [])
        if it.startswith("License :: ") and it != "License :: OSI Approved"
    ]
    words = classified or [told.get("License", "").strip().split("\n")[0]]
    return " OR ".join(SAME.get(word, word) for word in words)


def page() -> str:
    rows = (f"| {name} | {licence_of(name)} |\n" for name in sorted(pinned()))
    return HEAD + "".join(rows)


if __name__ == "__main__":
    try:
        PAGE.write_text(page())
    except PackageNotFoundError as error:
        raise SystemExit(f"{error} is not installed; `make develop` installs it.") from error
