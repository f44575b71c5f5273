"""Static files as browsers like them: few, compressed, and named after what is in them.

A name with a hash never means anything else, so browsers keep it for a year and never ask again.
With DEBUG the sources are served under their own names.
"""

import asyncio
import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, flock
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage
from servestatic import ServeStaticASGI
from servestatic.responders import MissingFileError

from chatsite.bundles import joined_css, joined_js

OUR_CODE = (Path(__file__), Path(__file__).with_name("bundles.py"))
YEAR_SECONDS = 365 * 24 * 3600
HASHED = r"^.+\.[0-9a-f]{12}\.\w+$"
BUNDLES = {"css/site.css": joined_css, "js/app.js": joined_js, "js/replay-page.js": joined_js}
# What is compressed already would only grow.
TEXTS = re.compile(r"\.(css|js|mjs|svg|txt|json)$")


class Storage(ManifestStaticFilesStorage):
    """Joins, names and compresses at `collectstatic`."""

    support_js_module_import_aggregation = True

    def post_process(
        self, paths: dict[str, Any], dry_run: bool = False, **options: Any
    ) -> Iterator[tuple[str, str, bool] | tuple[str, None, RuntimeError]]:
        if dry_run:
            return
        with _alone(Path(self.location)) as made_of:
            # Whoever serves these files already must not find one of them gone for a moment.
            if (sources := _fingerprint(paths)) == made_of.read_text():
                # The types that mypy is told of are those of an older Django.
                self.hashed_files, self.manifest_hash = self.load_manifest()  # type: ignore[assignment]
                return
            for done in super().post_process(_joined(paths), **options):
                if done[1]:
                    _compress(Path(self.path(done[1])))
                yield done
            made_of.write_text(sources)


@contextmanager
def _alone(folder: Path) -> Iterator[Path]:
    """One process at a time; the file says what the files beside it were made of."""
    made_of = folder / "made-of.txt"
    with made_of.open("a") as file:
        flock(file, LOCK_EX)
        yield made_of


def _fingerprint(paths: dict[str, Any]) -> str:
    """Of all sources, and of the code that joins them."""
    found = sha256()
    for name in sorted(paths):
        storage, path = paths[name]
        with storage.open(path) as file:
            found.update(name.encode() + b"\0" + file.read())
    for code in OUR_CODE:
        found.update(code.read_bytes())
    return found.hexdigest()


def _joined(paths: dict[str, Any]) -> dict[str, Any]:
    """The same files; the bundles instead of what is in them."""
    parts: set[str] = set()

    def read(name: str) -> str:
        storage, path = paths[name]
        parts.add(name)
        with storage.open(path) as file:
            return str(file.read().decode())

    memory = InMemoryStorage()
    for name, join in BUNDLES.items():
        memory.save(name, ContentFile(join(name, read).encode()))
    others = {name: place for name, place in paths.items() if name not in parts}
    return {**others, **{name: (memory, name) for name in BUNDLES}}


def _compress(path: Path) -> None:
    packed = path.with_name(f"{path.name}.gz")
    if TEXTS.search(path.name) and not packed.exists():
        packed.write_bytes(gzip.compress(path.read_bytes(), mtime=0))


class StaticFiles(ServeStaticASGI):
    """Answers for static files before Django is asked; all else passes untouched.

    A file is looked at when it is asked for first: starting takes no time for hundreds that nobody
    wants, and in an update pages of the next process name files that came after we had started.
    """

    FOREVER = YEAR_SECONDS

    def __init__(self, application: Any, root: Path, prefix: str) -> None:
        super().__init__(application, immutable_file_test=HASHED)
        self._root = root
        self._prefix = prefix

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        # One name for each file: what is known grows no further than the folder.
        if path.startswith(self._prefix) and path not in self.files and self.url_is_canonical(path):
            await asyncio.to_thread(self._look, path)
        await super().__call__(scope, receive, send)

    def _look(self, path: str) -> None:
        with suppress(MissingFileError, OSError, ValueError):
            found = self._root / path.removeprefix(self._prefix)
            self.add_file_to_dictionary(path, str(found), root=self._root)
