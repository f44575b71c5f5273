"""`make audit`: pip-audit on what production runs. Where its service cannot be asked it says so.

A vulnerability fails it; a network that is away, or a mirror that knows of none, does not.
"""

import json
import subprocess
import sys

from tests.licences import LOCKS

SECONDS = 120
UNASKED = "Not audited: the service that knows of vulnerabilities cannot be reached."


def main() -> int:
    command = [sys.executable, "-m", "pip_audit"]
    command += [word for lock in LOCKS for word in ("-r", str(lock))]
    options = ["--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json"]
    try:
        done = subprocess.run(
            [*command, *options], capture_output=True, text=True, timeout=SECONDS, check=False
        )
        packages = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError):
        print(UNASKED)
        return 0
    # A mirror answers 404 for each of them, which pip-audit takes for no vulnerability at all.
    asked = [package for package in packages if "skip_reason" not in package]
    found = [(package, each) for package in asked for each in package["vulns"]]
    for package, each in found:
        print(package["name"], package["version"], each["id"], *each["fix_versions"])
    print(f"{len(asked)} of {len(packages)} packages audited." if asked else UNASKED)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
