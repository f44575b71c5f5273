"""Runs and their events. RunEvent is the big table: narrow rows, one index."""

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.db import connection, models
from django.db.models import Q
from django.utils import timezone

from chat.errors import TooManyRuns
from chat.events import ChatEvent, Kind, encode


class RunStatus(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    AWAITING_APPROVAL = "awaiting_approval"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


ACTIVE_STATUSES = (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.AWAITING_APPROVAL)
# By hand, like the statements in chat/models/rows.py.
_COUNT_ACTIVE = (
    "SELECT COUNT(*) FROM chat_agentrun"
    " WHERE owner_id = %s AND status IN ('queued', 'running', 'awaiting_approval')"
)


class AgentRun(models.Model):
    """The agent's work to answer one user message.

    `lease` grows by one each time a process takes the run over; only the process that holds
    the current lease may write events. `last_seq` is the number of the last stored event.
    `takeovers` counts how often a process died on it. `is_packed`: see chat/runs/upkeep/packing.py.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(
        "chat.Conversation", on_delete=models.CASCADE, related_name="runs"
    )
    # The conversation's owner, again: limits and idempotency are counted per person.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="runs"
    )
    message = models.ForeignKey("chat.Message", on_delete=models.CASCADE, related_name="runs")
    status = models.CharField(
        max_length=20, choices=RunStatus.choices, default=RunStatus.QUEUED, db_index=True
    )
    model_name = models.CharField(max_length=200)
    lease = models.PositiveIntegerField(default=0)
    takeovers = models.PositiveSmallIntegerField(default=0)
    last_seq = models.PositiveIntegerField(default=0)
    finish_reason = models.CharField(max_length=20, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(blank=True)
    usage = models.JSONField(default=dict, blank=True)
    # The oldest turns of the conversation that the model was not shown, for want of room.
    turns_left_out = models.PositiveIntegerField(default=0)
    idempotency_key = models.CharField(max_length=200, null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    is_packed = models.BooleanField(default=False, editable=False)

    class Meta:
        ordering = ["-created_at"]
        verbose_name = "run"
        indexes = [
            models.Index(fields=["owner", "-created_at"], name="run_owner_recent"),
            models.Index(
                fields=["finished_at"], condition=Q(is_packed=False), name="run_to_be_packed"
            ),
            # What the journal looks for with every write.
            models.Index(
                fields=["status"],
                condition=Q(cancel_requested_at__isnull=False),
                name="run_to_be_cancelled",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["conversation"],
                condition=Q(status__in=["queued", "running", "awaiting_approval"]),
                name="run_one_active_per_conversation",
            ),
            models.UniqueConstraint(
                fields=["owner", "idempotency_key"], name="run_idempotency_key_once"
            ),
        ]

    def __str__(self) -> str:
        return f"run {str(self.pk)[:8]}"

    @property
    def is_over(self) -> bool:
        return self.status not in ACTIVE_STATUSES


class RunEvent(models.Model):
    """The row of a ChatEvent. `data` is its JSON as text: made once, for row and frame.

    A packed row holds several: neighbouring deltas whose numbers follow on `seq`. Its `data` has
    their joined text; `parts` is a JSON list of `[characters, milliseconds before created_at]`
    for each of them, and `created_at` is the last one's.
    """

    pk = models.CompositePrimaryKey("run_id", "seq")
    run = models.ForeignKey(
        AgentRun, on_delete=models.CASCADE, related_name="events", db_index=False
    )
    seq = models.PositiveIntegerField()
    kind = models.CharField(max_length=20)
    data = models.TextField()
    created_at = models.DateTimeField()
    parts = models.TextField(null=True, editable=False)

    class Meta:
        ordering = ["run_id", "seq"]
        verbose_name = "event"
        constraints = [
            models.UniqueConstraint(
                fields=["run"],
                condition=Q(kind__in=["done", "error"]),
                name="event_one_terminal_per_run",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.numbers} {self.kind}"

    @property
    def numbers(self) -> str:
        """The number of its event, or the first and the last of those that are packed in it."""
        if self.parts is None:
            return str(self.seq)
        return f"{self.seq}–{self.seq + len(json.loads(self.parts)) - 1}"

    def to_event(self) -> ChatEvent:
        """The row as one event: what a fold of the events needs, packed or not."""
        return ChatEvent(kind=Kind(self.kind), data=json.loads(self.data), number=self.seq)

    def to_events(self) -> list[ChatEvent]:
        """All events of the row, as they were before they were packed."""
        return [
            ChatEvent(kind=Kind(self.kind), data=json.loads(data), number=number)
            for number, data in unpacked(self.seq, self.data, self.parts)
        ]


def unpacked(seq: int, data: str, parts: str | None, after: int = 0) -> Iterator[tuple[int, str]]:
    """Number and JSON of each event in a row, the same to the byte as before it was packed.

    Leaves out those up to number `after`.
    """
    if parts is None:
        if seq > after:
            yield seq, data
        return
    text, start = json.loads(data)["content"], 0
    for number, (length, _) in enumerate(json.loads(parts), seq):
        if number > after:
            yield number, encode({"content": text[start : start + length]})
        start += length


def check_limits(owner_id: int) -> None:
    """Raise TooManyRuns if this person has too many answers in progress or started this minute."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT_ACTIVE, [owner_id])
        (active,) = cursor.fetchone()
    if active >= settings.MAX_ACTIVE_RUNS_PER_USER:
        raise TooManyRuns(
            f"You have {active} answers in progress. Wait for one to end, or stop one.",
            retry_after_seconds=5,
        )
    if settings.MAX_RUN_STARTS_PER_MINUTE:
        minute_ago = timezone.now() - timedelta(minutes=1)
        started = AgentRun.objects.filter(owner_id=owner_id, created_at__gt=minute_ago).count()
        if started >= settings.MAX_RUN_STARTS_PER_MINUTE:
            raise TooManyRuns(
                "You have asked a lot in the last minute. Please wait a little.",
                retry_after_seconds=15,
            )
