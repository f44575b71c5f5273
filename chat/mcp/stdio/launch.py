"""Becomes a command that Linux ends when its parent dies, however it dies.

At our own end every server is told to go; a `kill -9` leaves us no time for that. Then a server
sees the end of its stdin, and most go by themselves: this is for the others, as SIGTERM. What it
started itself is not reached. Run as a program, by its path: it imports nothing of ours.
"""

import ctypes
import os
import signal
import sys

# The arguments to follow: our process id, the whole path of the command, its arguments.
COMMAND = (sys.executable, "-I", "-S", __file__)
PR_SET_PDEATHSIG = 1


def main(parent: str, *argv: str) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    # Python ignores them, and a command would inherit that.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    # It may have died before that.
    if os.getppid() == int(parent):
        os.execv(argv[0], argv)  # noqa: S606 (no shell is wanted)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as error:
        sys.exit(f"{sys.argv[2]} cannot be started: {error.strerror}")
