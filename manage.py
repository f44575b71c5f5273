#!/usr/bin/env python
"""Django's command line."""

import os
import sys


def main() -> None:
    # Here and not above: a Ctrl-C while Django loads is as quiet as a later one.
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError, ProgrammingError

    try:
        execute_from_command_line(sys.argv)
        # What is still to be written is: its reader may be gone.
        sys.stdout.flush()
    except ImproperlyConfigured as error:
        sys.exit(f"Configuration: {error}")
    except BrokenPipeError:
        # As with `| head`. Nothing more is written, also not by Python as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (OperationalError, ProgrammingError) as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"The database is away, or not set up (manage.py setup): {error}")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
