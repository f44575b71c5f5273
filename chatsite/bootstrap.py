"""The first step of `make run`: a virtual environment with what is pinned, and a .env.

    bootstrap.py [--without-env] [--into FOLDER] [FILE ...]

In .venv there is always what requirements.txt pins; another folder is for tools that look at it.
`--without-env`: the settings are elsewhere, and no .env is written.

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
OLDEST = (3, 11)
FIRST_LINE = "# Settings of this installation; .env.example explains all of them.\n"
INCLUDED = re.compile(r"^-r\s+(\S+)", re.MULTILINE)
SECRET_KEY_LINE = re.compile(r"^\s*(export\s+)?SECRET_KEY\s*=\s*\S", re.MULTILINE)


def main(arguments):
    if sys.version_info < OLDEST:
        sys.exit(
            "Ferryline needs Python %d.%d or newer; this is %d.%d. Install a newer one and name "
            "it: make run PYTHON=python3.12" % (OLDEST + sys.version_info[:2])
        )
    try:
        has_env = arguments[:1] != ["--without-env"]
        arguments = arguments if has_env else arguments[1:]
        if arguments[:1] == ["--into"]:
            make_environment(ROOT / arguments[1], arguments[2:])
        else:
            others = [name for name in arguments if name != "requirements.txt"]
            make_environment(ROOT / ".venv", ["requirements.txt"] + others)
        if has_env:
            write_env()
    except UnicodeDecodeError:
        sys.exit(".env is not UTF-8; save it as UTF-8.")
    except PermissionError as error:
        sys.exit(
            "%s cannot be written. Give yourself the right to write in this folder: %s"
            % (error.filename or "The folder", ROOT)
        )
    except subprocess.CalledProcessError as error:
        sys.exit("Installing failed (%s); the lines above say why." % error)


def make_environment(folder, files):
    """Install exactly what the files pin, once for each state of the files.

    requirements.txt has a hash for each of its packages, which pip then insists on.
    """
    wanted = hashlib.sha256("".join(map(pinned, files)).encode()).hexdigest()
    python = folder / "bin" / "python"
    stamp = folder / ("installed-" + "-".join(Path(name).stem for name in files))
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    # Made here: what venv says of a folder that it may not write to is no help.
    folder.mkdir(exist_ok=True)
    print("Installing what is needed into %s …" % folder.name, flush=True)
    # One that was interrupted while it was made has a Python, and no pip.
    if not (python.exists() and works([str(python), "-m", "pip", "--version"])):
        run([sys.executable, "-m", "venv", "--clear", str(folder)])
    for name in files:
        options = ["--quiet", "--disable-pip-version-check", "--no-input"]
        run([str(python), "-m", "pip", "install", *options, "-r", str(ROOT / name)])
    stamp.write_text(wanted)


def pinned(name):
    """The text of a file, and of those that it includes."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return text + "".join(map(pinned, INCLUDED.findall(text)))


def works(command):
    return subprocess.run(command, capture_output=True).returncode == 0  # noqa: S603 (our own)


def run(command):
    subprocess.run(command, check=True, cwd=ROOT)  # noqa: S603 (our own command)


def write_env():
    """A SECRET_KEY of its own for each installation; what is there stays as it is."""
    path = ROOT / ".env"
    # With the mark at the beginning that some editors write.
    text = path.read_text(encoding="utf-8-sig") if path.exists() else ""
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
