"""The file: a zip of one manifest, a file of lines for each table, and the attachments.

What the manifest names must be there in full, else nothing of it is taken in.
"""

import errno
import fcntl
import hmac
import json
import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

from django.apps.registry import Apps
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import models, transaction

from chat.backup import rows
from chat.backup.tables import Migration, last_migrations, one_moment, stored, tables_at

FORMAT = 1
MANIFEST = "manifest.json"
FILES = "files/"
# What disks without hard links say, as those of memory sticks and of shares of Windows.
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


# What reading a file raises that was changed since it was written: by zip, its compression, or what
# is within. RuntimeError: it wants a password; NotImplementedError: it has features nobody wrote.
DAMAGED = (
    *(BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError),
    *(KeyError, ValueError, TypeError, AttributeError),
)


class NoBackup(Exception):
    """Why a file cannot be restored."""


class NothingThere(Exception):
    """The database was never set up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """What the archive holds. `files_gone`: deleted by somebody while the backup was made."""

    migrations: list[Migration]
    tables: dict[str, list[str]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    files_gone: list[str] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT


def write(path: Path) -> Manifest:
    """Everything there is, as of one moment. Nobody but its owner may read the file.

    `path` is there only once it is complete. Raises OSError, NewerDatabase, NothingThere.
    """
    part = path.with_name(f"{path.name}.part")
    # Not cut before it is ours: that of another, which is being made just now, has the lock.
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(part)) from error
        try:
            # Of one that was killed.
            file.truncate()
            with ZipFile(file, "w", ZIP_DEFLATED) as archive:
                manifest = _fill(archive)
                archive.writestr(MANIFEST, json.dumps(asdict(manifest), indent=1))
            file.flush()
            # On the disk, not only on its way there: the next step may be a migration.
            os.fsync(descriptor)
            _give_name(part, path)
        finally:
            part.unlink(missing_ok=True)
    return manifest


def _give_name(part: Path, path: Path) -> None:
    """Fails where somebody made one of that name meanwhile."""
    try:
        os.link(part, path)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
        part.rename(path)


def _fill(archive: ZipFile) -> Manifest:
    with one_moment():
        manifest = Manifest(migrations=last_migrations(), keys=marks_of_keys())
        if not manifest.migrations:
            raise NothingThere
        tables = tables_at(manifest.migrations)
        for model in stored(tables):
            label = model._meta.label_lower
            manifest.tables[label] = [column.attname for column in rows.columns(model)]
            manifest.rows[label] = _write_rows(archive, model)
        names = sorted(_files_of(tables))
    for name in names:
        copied = _write_file(archive, name)
        (manifest.files if copied else manifest.files_gone).append(name)
    return manifest


def _write_rows(archive: ZipFile, model: rows.Model) -> int:
    count = 0
    with archive.open(_member(model), "w", force_zip64=True) as file:
        for count, line in enumerate(rows.lines(model), 1):  # noqa: B007 (used after it)
            file.write(line)
    return count


def _files_of(tables: Apps) -> Iterator[str]:
    for model in stored(tables):
        for column in rows.columns(model):
            if isinstance(column, models.FileField):
                names = model._base_manager.exclude(**{column.attname: ""})
                yield from names.values_list(column.attname, flat=True).iterator()


def _write_file(archive: ZipFile, name: str) -> bool:
    with suppress(FileNotFoundError), default_storage.open(name) as source:
        with archive.open(FILES + name, "w", force_zip64=True) as file:
            shutil.copyfileobj(source, file)
        return True
    return False


@contextmanager
def opened(path: Path) -> Iterator[tuple[ZipFile, Manifest]]:
    """Raises OSError, one of DAMAGED, and NoBackup for what is no backup of ours."""
    with ZipFile(path) as archive:
        if MANIFEST not in archive.namelist():
            raise NoBackup("it is a zip file, but no backup")
        content = json.loads(archive.read(MANIFEST))
        if content.get("format") != FORMAT:
            raise NoBackup(f"its format is {content.get('format')}; this version reads {FORMAT}")
        content["migrations"] = [(app, name) for app, name in content["migrations"]]
        yield archive, Manifest(**content)


def read(archive: ZipFile, manifest: Manifest) -> None:
    """Into a database of the same migrations: all of it, or nothing. What was there goes."""
    found = stored(tables_at(manifest.migrations))
    made: list[Path] = []
    try:
        with transaction.atomic():
            rows.clear(found)
            for model in found:
                _read_rows(archive, manifest, model)
            rows.go_on_counting(found)
            for name in manifest.files:
                _read_file(archive, name, made)
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise


def _read_rows(archive: ZipFile, manifest: Manifest, model: rows.Model) -> None:
    label = model._meta.label_lower
    if manifest.tables.get(label) != [column.attname for column in rows.columns(model)]:
        raise NoBackup(f"its table {label} has other columns than that of this version")
    with archive.open(_member(model)) as file:
        if rows.store(model, file) != manifest.rows[label]:
            raise NoBackup(f"its table {label} is not complete")


def _read_file(archive: ZipFile, name: str, made: list[Path]) -> None:
    # Refuses what would lie outside of its folder.
    path = Path(default_storage.path(name))
    path.parent.mkdir(
        mode=settings.FILE_UPLOAD_DIRECTORY_PERMISSIONS or 0o700, parents=True, exist_ok=True
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    made.append(path)
    with os.fdopen(descriptor, "wb") as file, archive.open(FILES + name) as source:
        shutil.copyfileobj(source, file)


def _member(model: rows.Model) -> str:
    return f"rows/{model._meta.label_lower}.jsonl"


def marks_of_keys() -> dict[str, str]:
    """What tells whether two keys are the same, and nothing else of them."""
    keys = {"SECRET_KEY": settings.SECRET_KEY, "MCP_TOKEN_KEY": settings.MCP_TOKEN_KEY}
    return {
        name: hmac.new(key.encode(), b"the key of a backup", "sha256").hexdigest()
        for name, key in keys.items()
    }
