"""The first step of `make run`: a virtual environment with what is pinned, and a .env.

Standard library only, and no syntax that an old Python could not read: it must be able to say
that it is too old.
"""

import hashlib
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
OLDEST = (3, 11)
FIRST_LINE = "# Settings of this installation; .env.example explains all of them.\n"
SECRET_KEY_LINE = re.compile(r"^\s*(export\s+)?SECRET_KEY\s*=\s*\S", re.MULTILINE)


def main(arguments):
    if sys.version_info < OLDEST:
        sys.exit(
            "Ferryline needs Python %d.%d or newer; this is %d.%d. Install a newer one and name "
            "it: make run PYTHON=python3.12" % (OLDEST + sys.version_info[:2])
        )
    try:
        make_environment(arguments or ["requirements.txt"])
        write_env()
    except PermissionError as error:
        sys.exit(
            "%s cannot be written. Give yourself the right to write in this folder: %s"
            % (error.filename or "The folder", ROOT)
        )
    except subprocess.CalledProcessError as error:
        sys.exit("Installing failed (%s); the lines above say why." % error)


def make_environment(files):
    """Install exactly what the files pin, once for each state of the files."""
    wanted = hashlib.sha256()
    for name in ["requirements.txt"] + files:
        wanted.update((ROOT / name).read_bytes())
    stamp = VENV / ("installed-" + "-".join(Path(name).stem for name in files))
    if PYTHON.exists() and stamp.exists() and stamp.read_text() == wanted.hexdigest():
        return
    # Made here: what venv says of a folder that it may not write to is no help.
    VENV.mkdir(exist_ok=True)
    print("Installing what is needed into .venv …", flush=True)
    if not PYTHON.exists():
        run([sys.executable, "-m", "venv", str(VENV)])
    for name in files:
        options = ["--quiet", "--disable-pip-version-check", "--no-input"]
        run([str(PYTHON), "-m", "pip", "install", *options, "-r", str(ROOT / name)])
    stamp.write_text(wanted.hexdigest())


def run(command):
    subprocess.run(command, check=True, cwd=ROOT)  # noqa: S603 (our own command)


def write_env():
    """A SECRET_KEY of its own for each installation; what is there stays as it is."""
    path = ROOT / ".env"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if os.environ.get("SECRET_KEY") or SECRET_KEY_LINE.search(text):
        return
    line = "SECRET_KEY=" + secrets.token_urlsafe(48) + "\n"
    if not text:
        line = FIRST_LINE + line
    elif not text.endswith("\n"):
        line = "\n" + line
    descriptor = os.open(str(path), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(line)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
