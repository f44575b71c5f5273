"""manage.py create_api_token USERNAME: a program's credential, shown once."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from chat.models import ApiToken


class Command(BaseCommand):
    help = "Make an API token for a person and print it, alone, on standard output."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="", help="what it is for, as the admin shows it")

    def handle(self, *args: Any, **options: Any) -> None:
        owner = get_user_model().objects.filter(username=options["username"]).first()
        if owner is None:
            raise CommandError(f"There is no user named {options['username']!r}.")
        most = ApiToken.MAX_NAME_CHARACTERS
        if len(options["name"]) > most:
            raise CommandError(f"--name is longer than {most} characters.")
        self.stdout.write(ApiToken.issue(owner, options["name"])[1])
