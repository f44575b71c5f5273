"""manage.py prune: what is old enough goes, kind by kind."""

import re
import time
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chat.runs.upkeep.retention import PAUSE_SECONDS, Ages, Work, works

UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


class Command(BaseCommand):
    help = (
        "Remove what is older than the RETENTION_ settings say, or what is given here. May be run "
        "while the server runs. The chain of tool calls stays whole: see verify_ledger."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        say = "such as 90d, 12w or 36h; 0: keep them"
        parser.add_argument("--events", metavar="AGE", help=f"events of ended answers, {say}")
        parser.add_argument("--results", metavar="AGE", help=f"tool results and files, {say}")
        parser.add_argument("--conversations", metavar="AGE", help=f"whole conversations, {say}")
        parser.add_argument("--dry-run", action="store_true", help="only say what there is to do")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        ages = Ages.from_settings()
        given = {name: options[name] for name in ("events", "results", "conversations")}
        chosen = {
            name: getattr(ages, name) if text is None else age(text, f"--{name}")
            for name, text in given.items()
        }
        if not any(chosen.values()):
            raise CommandError(
                "Nothing is to be removed: give --events, --results or --conversations an age, "
                "as in --events 90d, or set RETENTION_EVENTS_DAYS and the others."
            )
        for work in works(Ages(**chosen)):
            self.stdout.write(do(work, dry_run=dry_run))


def do(work: Work, *, dry_run: bool) -> str:
    """Do it unless it is only to be counted; the sentence to be printed."""
    for part in () if dry_run else work.parts:
        part()
        time.sleep(PAUSE_SECONDS if len(work.parts) > 1 else 0)
    return f"{'There are' if dry_run else 'Deleted'} {work.what}."


def age(text: str, option: str) -> timedelta | None:
    """None where nothing is to go. Raises CommandError with what it should have been."""
    if text == "0":
        return None
    parts = re.fullmatch(r"([0-9]{1,5})([hdw])", text)
    if parts is None or int(parts[1]) == 0:
        raise CommandError(
            f"{option} must be a number of hours, days or weeks, as in 36h, 90d or 12w; "
            f"it is {text!r}."
        )
    return int(parts[1]) * UNITS[parts[2]]
