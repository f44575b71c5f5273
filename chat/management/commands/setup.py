"""manage.py setup: what has to be there before the first start, and after each update."""

import os
import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError


class Command(BaseCommand):
    help = "Prepare the database and the static files; make a first admin account if none exists."

    def handle(self, *args: Any, **options: Any) -> None:
        self._check_folder()
        try:
            call_command("migrate", verbosity=0, interactive=False)
        except OperationalError as error:
            raise CommandError(f"The database cannot be used: {error}".strip()) from error
        call_command("collectstatic", verbosity=0, interactive=False)
        self._make_admin()

    def _check_folder(self) -> None:
        database = settings.DATABASES["default"]
        if not database["ENGINE"].endswith("sqlite3"):
            return
        folder = os.path.dirname(os.path.abspath(database["NAME"]))
        if not os.access(folder, os.W_OK):
            raise CommandError(
                f"The folder of the database cannot be written: {folder}. Give yourself the "
                "right to write there, or name another place: DATABASE_URL=sqlite:////path/to/db"
            )

    def _make_admin(self) -> None:
        users = get_user_model().objects
        if users.filter(is_superuser=True).exists():
            return
        name = settings.ADMIN_USERNAME
        if users.filter(username=name).exists():
            raise CommandError(
                f"There is no admin account, and {name!r} is somebody's name already. "
                "Choose another: ADMIN_USERNAME=chief make run"
            )
        password = settings.ADMIN_PASSWORD or secrets.token_urlsafe(12)
        users.create_superuser(username=name, password=password)
        self.stdout.write("\nA first admin account was made. Its password is shown only now.")
        self.stdout.write(f"    name:     {name}")
        shown = "as given in ADMIN_PASSWORD" if settings.ADMIN_PASSWORD else password
        self.stdout.write(f"    password: {shown}\n\n")
