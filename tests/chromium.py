"""The browser that tests drive: one that is there, else the one that Playwright installs.

The headless shell first: it is the same without the windows that nobody sees, and a page costs it
less than half as much.
"""

import shutil
import subprocess
import sys
from pathlib import Path

SHELLS = ("chromium-headless-shell", "chrome-headless-shell")
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")


def executable(*, is_whole: bool = False) -> str | None:
    """The path of a Chromium on this machine; None: use Playwright's own.

    `is_whole`: not the shell, which gives no leave to notify.
    """
    names = NAMES if is_whole else SHELLS + NAMES
    found = next((path for name in names if (path := shutil.which(name))), None)
    return found or (str(MAC) if MAC.exists() else None)


def main() -> None:
    if executable() is None:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)


if __name__ == "__main__":
    main()
