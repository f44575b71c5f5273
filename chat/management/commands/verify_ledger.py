"""manage.py verify_ledger: whether any tool call on record was changed, taken out or put in."""

import re
import time
from contextlib import suppress
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.template.defaultfilters import pluralize
from django.utils import timezone

from chat.models import LedgerHead
from chat.runs.upkeep.sealing import ChainBroken, seal_all
from chat.runs.verification import NO_HEAD, Verification

HINT = "Where SECRET_KEY was changed, put the one of before into SECRET_KEY_FALLBACKS."


class Command(BaseCommand):
    help = (
        "Check the chain of finished tool calls: says which row was changed, is missing or was "
        "inserted, and then ends with exit code 1. May be run while the server runs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--expect",
            default="",
            metavar="NUMBER:SEAL",
            help="what an earlier run printed at its end: the chain must still go through there",
        )

    def handle(self, *, expect: str, **options: Any) -> None:
        began = time.monotonic()
        verification = Verification(expected=expected(expect))
        with suppress(ChainBroken):  # That is told below.
            # What finished just before a crash, say.
            seal_all()
        count = 0
        for problem in verification.problems():
            count += 1
            self.stdout.write(str(problem))
            if problem.what == NO_HEAD:
                self.stdout.write(HINT)
        LedgerHead.objects.update(verified_at=timezone.now(), problems=count)
        seen = f"{verification.count:,} place{pluralize(verification.count)}"
        seconds = f"{time.monotonic() - began:.1f} s"
        if count:
            raise CommandError(f"{count:,} problem{pluralize(count)} in {seen} ({seconds}).")
        self.stdout.write(f"{seen} of the chain, each as it was sealed ({seconds}).")
        if verification.number:
            self.stdout.write(f"It ends at {verification.number}:{verification.seal}")


def expected(text: str) -> tuple[int, str] | None:
    """Raises CommandError with what it should have been."""
    if not text:
        return None
    parts = re.fullmatch(r"([0-9]{1,15}):([0-9a-f]{64})", text)
    if parts is None:
        raise CommandError(f"--expect must be a number and a seal, as in 12:3fa0…; it is {text!r}.")
    return int(parts[1]), parts[2]
