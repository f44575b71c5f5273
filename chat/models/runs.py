"""Runs and their events. RunEvent is the big table: narrow rows, one index."""

import json
import uuid
from collections.abc import Iterator

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from chat.events import ChatEvent, Kind, encode
from chat.models.quotas import Allowance
from chat.models.usage import Tally


class RunStatus(models.TextChoices):
    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    AWAITING_APPROVAL = "awaiting_approval", _("Awaiting Approval")
    COMPLETED = "completed", _("Completed")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")
    INTERRUPTED = "interrupted", _("Interrupted")


ACTIVE_STATUSES = (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.AWAITING_APPROVAL)


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
        settings.AUTH_USER_MODEL,
        verbose_name=_("owner"),
        on_delete=models.CASCADE,
        related_name="runs",
    )
    message = models.ForeignKey("chat.Message", on_delete=models.CASCADE, related_name="runs")
    status = models.CharField(
        _("status"),
        max_length=20,
        choices=RunStatus.choices,
        default=RunStatus.QUEUED,
        db_index=True,
    )
    model_name = models.CharField(_("model name"), max_length=200)
    lease = models.PositiveIntegerField(_("lease"), default=0)
    takeovers = models.PositiveSmallIntegerField(default=0)
    last_seq = models.PositiveIntegerField(_("last seq"), default=0)
    finish_reason = models.CharField(_("finish reason"), max_length=20, blank=True)
    error_code = models.CharField(_("error code"), max_length=40, blank=True)
    error_message = models.TextField(_("error message"), blank=True)
    usage = models.JSONField(default=dict, blank=True)
    # The oldest turns of the conversation that the model was not shown, for want of room.
    turns_left_out = models.PositiveIntegerField(_("turns left out"), default=0)
    # Whoever asked wants calls that need an approval denied at once: nobody is there to be asked.
    denies_approvals = models.BooleanField(default=False)
    idempotency_key = models.CharField(max_length=200, null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    heartbeat_at = models.DateTimeField(_("heartbeat at"), null=True, blank=True)
    cancel_requested_at = models.DateTimeField(_("cancel requested at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    is_packed = models.BooleanField(default=False, editable=False)

    # While it lives in a process: what it may use, once that is known, and what it has used.
    allowance: Allowance | None = None
    tally: Tally | None = None

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("run")
        verbose_name_plural = _("runs")
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
    created_at = models.DateTimeField(_("created at"))
    parts = models.TextField(null=True, editable=False)

    class Meta:
        ordering = ["run_id", "seq"]
        verbose_name = _("event")
        verbose_name_plural = _("events")
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
    for number, (length, *_rest) in enumerate(json.loads(parts), seq):
        if number > after:
            yield number, encode({"content": text[start : start + length]})
        start += length
