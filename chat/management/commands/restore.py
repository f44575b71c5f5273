"""manage.py restore: a backup into an installation in which nobody has an account yet."""

from pathlib import Path
from typing import Any
from zipfile import ZipFile

from django.contrib.auth import get_user_model
from django.core.exceptions import SuspiciousFileOperation
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection

from chat.backup import archive
from chat.backup.archive import DAMAGED, Manifest, NoBackup
from chat.backup.tables import NewerDatabase, migrate_to


class Command(BaseCommand):
    help = (
        "Take everything from a file that `backup` wrote, on this or the other kind of database. "
        "Needs an empty installation, and no server that runs on it. See docs/backup.md."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="what `manage.py backup` wrote")

    def handle(self, *, file: str, **options: Any) -> None:
        try:
            with archive.opened(Path(file)) as (content, manifest):
                self._restore(content, manifest)
        except FileExistsError as error:
            raise CommandError(
                f"Nothing was restored: {error.filename} is there already. MEDIA_DIR must be empty."
            ) from error
        except (NoBackup, SuspiciousFileOperation) as error:
            raise CommandError(f"{file} cannot be restored: {error}.") from error
        except DAMAGED as error:
            raise CommandError(f"{file} cannot be restored, it is damaged: {error}.") from error
        except OSError as error:
            raise CommandError(f"{error.filename or file}: {error.strerror}.") from error
        except DatabaseError as error:
            raise CommandError(f"Nothing was restored: {error}".strip()) from error

    def _restore(self, content: ZipFile, manifest: Manifest) -> None:
        self._refuse_accounts()
        try:
            fits = migrate_to(manifest.migrations)
        except NewerDatabase as error:
            raise NoBackup(f"a newer version wrote it, which has {error}") from error
        if not fits:
            raise CommandError(
                "The backup is of an older version, and this database was set up by this one. "
                "Name one in DATABASE_URL that is not set up yet."
            )
        archive.read(content, manifest)
        # What came since the backup, and the permissions that go with it.
        call_command("migrate", verbosity=0, interactive=False)
        self.stdout.write(
            f"Restored: {manifest.rows['chat.conversation']:,} conversations, "
            f"{sum(manifest.rows.values()):,} rows in all, {len(manifest.files):,} files."
        )
        self._warn_of_keys(manifest)

    def _refuse_accounts(self) -> None:
        users = get_user_model()
        there = users._meta.db_table in connection.introspection.table_names()
        if there and users._base_manager.exists():
            raise CommandError(
                "There are accounts in this database already. A backup goes into an empty one: "
                "name it in DATABASE_URL, and do not run `manage.py setup` before."
            )

    def _warn_of_keys(self, manifest: Manifest) -> None:
        here = archive.marks_of_keys()
        for name in sorted(name for name, mark in manifest.keys.items() if here.get(name) != mark):
            self.stderr.write(
                f"{name} is another than where the backup was made. "
                "Set it as it was there, else what was signed or sealed with it is worth nothing."
            )
