"""manage.py export_tool_runs: the tool ledger as a file, by the filters of its page."""

import getpass
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from chat.ledger.export import Export
from chat.ledger.filters import FilterForm, read
from chat.models import Approval, ToolRunExport, ToolRunState

FILTERS = {
    "since": "the first day, as in 2026-01-31, or an age as in 12h, 7d or 4w",
    "until": "the last day, or an age",
    "outcome": f"one of: {', '.join(ToolRunState.values)}",
    "tool": "as the model calls it",
    "server": "its slug",
    "person": "a user name",
    "conversation": "its id, or the address of its page",
    "over-ms": "1000, 10000 or 60000",
    "approval": f"one of: {', '.join(Approval.State.values)}, none",
    "search": "words of the tool or of the chat's title, or a call id",
}


class Command(BaseCommand):
    help = (
        "Write the tool ledger, newest first, to standard output. Exports are on record: see "
        "Exports of tool runs in the admin."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        for name, about in FILTERS.items():
            parser.add_argument(f"--{name}", default="", help=about)
        parser.add_argument(
            "--format", default="jsonl", choices=ToolRunExport.Format.values, help="jsonl or csv"
        )
        parser.add_argument(
            "--as", dest="username", default="", help="who is on record; else: who you are here"
        )

    def handle(self, *, username: str, **options: Any) -> None:
        form = read({**options, "q": options["search"]})
        if not form.is_valid():
            raise CommandError(_mistakes(form))
        export = Export(_person(username), options["format"], form)
        is_whole = False
        try:
            for text in export.texts():
                # What ends with its own line end gets no other one.
                self.stdout.write(text, ending="")
            is_whole = True
        finally:
            export.end(is_whole=is_whole)
        self.stderr.write(f"{export.rows:,} tool runs", self.style.SUCCESS)


def _person(username: str) -> Any:
    users = get_user_model()
    if not username:
        return users(username=f"{getpass.getuser()} (console)")
    found = users.objects.filter(username=username).first()
    if found is None:
        raise CommandError(f"There is no user named {username!r}.")
    return found


def _mistakes(form: FilterForm) -> str:
    names = {"q": "search", "over_ms": "over-ms"}
    return "\n".join(
        f"--{names.get(name, name)}: {' '.join(map(str, problems))}"
        for name, problems in form.errors.items()
    )
