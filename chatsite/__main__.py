"""python -m chatsite OPTIONS: Daphne, with the options that `daphne --help` explains."""

import sys

if __name__ == "__main__":
    try:
        # Here and not above: a Ctrl-C while it loads is as quiet as a later one.
        from daphne.cli import CommandLineInterface

        CommandLineInterface.entrypoint()
    except KeyboardInterrupt:
        sys.exit(130)
