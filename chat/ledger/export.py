"""An export of the ledger: streamed, however long it is, and on record with all it took along."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.db import transaction

from chat.ledger.filters import FilterForm
from chat.ledger.find import Ledger
from chat.ledger.written import head, lines
from chat.models import StaffAccess, ToolRunExport

ROWS_AT_ONCE = 500


class Export:
    """One that has begun is on record; `end` adds how many calls of whom there were in it."""

    def __init__(self, person: Any, kind: str, form: FilterForm) -> None:
        self._person = person
        self._kind = kind
        self._ledger = Ledger(form.filters)
        self._counts: Counter[int] = Counter()
        self._row = ToolRunExport.begin(person, kind, form.address)

    @property
    def rows(self) -> int:
        return self._counts.total()

    def texts(self) -> Iterator[str]:
        """The file, piece by piece; between two of them no connection is held."""
        yield head(self._kind)
        for rows in self._ledger.chunks(ROWS_AT_ONCE):
            self._counts.update(row.owner_id for row in rows)
            yield lines(rows, self._kind)

    def end(self, *, is_whole: bool) -> None:
        with transaction.atomic():
            self._row.end(self.rows, is_whole=is_whole)
            StaffAccess.note_export(self._person, self._counts)
