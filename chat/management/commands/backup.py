"""manage.py backup: a whole installation into one file, while it runs."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chat.backup import archive
from chat.backup.tables import NewerDatabase


class Command(BaseCommand):
    help = (
        "Write everything into one file: the whole database as of one moment, and attachments. "
        "May be made while the server runs. See docs/backup.md."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="such as backup.zip; must not exist")

    def handle(self, *, file: str, **options: Any) -> None:
        path = Path(file)
        try:
            if path.exists():
                raise CommandError(f"{path} exists already. Name another file.")
            made = archive.write(path)
        except FileExistsError as error:
            raise CommandError(f"{error.filename} exists: another backup is made there.") from error
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
        except archive.NothingThere as error:
            raise CommandError("The database is empty: manage.py setup sets it up.") from error
        except NewerDatabase as error:
            raise CommandError(
                f"The database was made by a newer version: it has {error}. Use that version."
            ) from error
        self.stdout.write(
            f"Everything is in {path}: {made.rows['chat.conversation']:,} conversations, "
            f"{sum(made.rows.values()):,} rows in all, {len(made.files):,} files."
        )
        if made.files_gone:
            self.stderr.write(f"{len(made.files_gone):,} files were not there any more.")
        self.stdout.write("Keep it secret, and SECRET_KEY with it: it is not in the file.")
