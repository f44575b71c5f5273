"""What the settings are in a given environment, as a process that starts in it reads them.

python -m tests.docs.values ENVIRONMENT…      (each a JSON object; no .env is read)
"""

import importlib
import json
import os
import subprocess
import sys

import environ

from tests.docs.pages import ROOT

LIBRARIES = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
KEY = {"SECRET_KEY": "of the documentation's tests"}
# Settings that are called otherwise than what they are read from.
CALLED = {
    "DEFAULT_FROM_EMAIL": "EMAIL_FROM",
    "MEDIA_ROOT": "MEDIA_DIR",
    "STATIC_ROOT": "STATIC_DIR",
}


def settings_in(*environments: dict[str, str]) -> list[dict[str, str]]:
    """For each environment the settings' values, as Python writes them, by name."""
    command = [sys.executable, "-m", "tests.docs.values", *map(json.dumps, environments)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(told.stdout)


def _read(environment: dict[str, str]) -> dict[str, str]:
    os.environ.clear()
    os.environ.update(LIBRARIES | KEY | environment)
    for name in [name for name in sys.modules if name.split(".")[0] == "chatsite"]:
        del sys.modules[name]
    settings = vars(importlib.import_module("chatsite.settings"))
    read = {CALLED.get(name, name): settings[name] for name in settings if name.isupper()}
    # The environment itself.
    del read["MCP_SECRETS"]
    read["REDACT_PATTERNS"] = read["REDACTION"].patterns
    return {name: repr(value).replace(f"{ROOT}/", "") for name, value in read.items()}


if __name__ == "__main__":
    environ.Env.read_env = lambda *_: None
    print(json.dumps([_read(json.loads(text)) for text in sys.argv[1:]]))
