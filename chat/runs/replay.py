"""What was stored of a finished run, with the time of each event: enough to play it again."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Subquery

from chat.models import AgentRun, unpacked

EVENTS_AT_ONCE = 1000
# Of their JSON; a page has one event at least.
PAGE_BYTES = 262_144
MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """An event, encoded as on the wire, `at_ms` after the run began."""

    number: int
    kind: str
    encoded: str
    at_ms: int

    def to_json(self) -> str:
        return (
            f'{{"id": {self.number}, "at_ms": {self.at_ms}, '
            f'"event": "{self.kind}", "data": {self.encoded}}}'
        )


def replay_page(run: AgentRun, after: int) -> str | None:
    """JSON of the events after number `after`, and from where to read on; None if they are gone.

    At most EVENTS_AT_ONCE and about PAGE_BYTES; see docs/protocol.md.
    """
    if not run.events.filter(seq=run.last_seq).exists():
        return None
    began = run.started_at or run.created_at
    texts: list[str] = []
    size = last = 0
    for moment in _moments(run, after, began):
        texts.append(moment.to_json())
        size, last = size + len(texts[-1]), moment.number
        if size >= PAGE_BYTES or len(texts) == EVENTS_AT_ONCE:
            break
    following = last if texts and last < run.last_seq else None
    total_ms = int(((run.finished_at or began) - began) / MILLISECOND)
    head = json.dumps({"began": began.isoformat(), "total_ms": total_ms, "next": following})
    return f'{head[:-1]}, "events": [{", ".join(texts)}]}}'


def _moments(run: AgentRun, after: int, began: datetime) -> Iterator[Moment]:
    # A packed row stands under its first number; the next event may be within it.
    first = run.events.filter(seq__lte=after + 1).order_by("-seq").values("seq")[:1]
    rows = run.events.filter(seq__gte=Subquery(first)).order_by("seq")
    for row in rows.iterator(chunk_size=100):
        before = [part[1] for part in json.loads(row.parts)] if row.parts else [0]
        last_ms = int((row.created_at - began) / MILLISECOND)
        for number, encoded in unpacked(row.seq, row.data, row.parts, after):
            at_ms = max(0, last_ms - before[number - row.seq])
            yield Moment(number=number, kind=row.kind, encoded=encoded, at_ms=at_ms)
