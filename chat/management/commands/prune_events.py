"""manage.py prune_events: the older name of `prune --events`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from chat.management.commands.prune import age, do
from chat.runs.upkeep.retention import of_events


class Command(BaseCommand):
    help = (
        "Delete the events of runs that ended long ago. Messages, runs and tool runs stay: "
        "conversations look as before, only their answers cannot be replayed any more."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than", required=True, metavar="AGE", help="such as 90d, 12w or 36h"
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what there is to do")

    def handle(self, *, older_than: str, dry_run: bool, **options: Any) -> None:
        oldest = age(older_than, "--older-than")
        if oldest is None:
            raise CommandError("--older-than must be more than 0.")
        self.stdout.write(do(of_events(timezone.now() - oldest), dry_run=dry_run))
