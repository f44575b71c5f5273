"""Tool calls on record, with the files that they gave back."""

import uuid
from functools import partial
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils.translation import gettext_lazy as _

from chat.models.runs import AgentRun
from chat.models.servers import MCPServer

# The slow calls have an index, which those of the ledger's filter use that are this or more.
SLOW_MS = 1000


class ToolRunState(models.TextChoices):
    REQUESTED = "requested", _("Requested")
    AWAITING_APPROVAL = "awaiting_approval", _("Awaiting Approval")
    RUNNING = "running", _("Running")
    OK = "ok", _("Ok")
    TOOL_ERROR = "tool_error", _("Error")
    TIMEOUT = "timeout", _("Timeout")
    DENIED = "denied", _("Denied")
    BLOCKED = "blocked", _("Blocked")
    CANCELLED = "cancelled", _("Cancelled")
    LOST = "lost", _("Lost")


# Of a call that has not ended.
GOING = (ToolRunState.REQUESTED, ToolRunState.AWAITING_APPROVAL, ToolRunState.RUNNING)


class ToolRun(models.Model):
    """The row of a tool call's life: requested → running → an outcome."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Foreign keys without an index of their own lead one below.
    run = models.ForeignKey(
        AgentRun, on_delete=models.CASCADE, related_name="tool_runs", db_index=False
    )
    # The run's owner, again: the ledger finds a person's calls by it, newest first.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("person"),
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
    )
    call_id = models.CharField(_("call id"), max_length=200)
    iteration = models.PositiveSmallIntegerField(_("iteration"))
    tool = models.CharField(_("tool"), max_length=200)
    title = models.CharField(_("title"), max_length=200, blank=True)
    server = models.ForeignKey(
        MCPServer,
        verbose_name=_("server"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="tool_runs",
        db_index=False,
    )
    # Kept as text too: the record outlives the server's row.
    server_name = models.CharField(_("server name"), max_length=100, blank=True)
    arguments = models.JSONField(default=dict)
    invalid_arguments = models.TextField(blank=True)
    state = models.CharField(
        _("state"), max_length=20, choices=ToolRunState.choices, default=ToolRunState.REQUESTED
    )
    # Of the definition that was executed; see MCPTool.
    fingerprint = models.CharField(max_length=64, blank=True)
    # What of the policy let it be called, refused it or had a person asked.
    rule = models.CharField(_("rule"), max_length=400, blank=True)
    # What the model used to ask for this call, and for those beside it in the same step.
    usage = models.JSONField(default=dict, blank=True)
    result = models.TextField(blank=True)
    # Of the whole result as text, in bytes; `result` may hold less of it.
    result_bytes = models.PositiveIntegerField(null=True, blank=True)
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(_("created at"))
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    # Says that its end was written by us, and whether its place in the chain is settled: see
    # chat/models/ledger.py.
    mark = models.CharField(max_length=64, blank=True, editable=False)
    is_sealed = models.BooleanField(default=False, editable=False)

    class Meta:
        ordering = ["created_at", "pk"]
        verbose_name = _("tool run")
        verbose_name_plural = _("tool runs")
        permissions = [("export_toolrun", "Can export tool runs")]
        # Each in the ledger's order, newest first. What stands behind the order is what is asked
        # for together with it: so two of them are looked for in one index, and not in the rows.
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="toolrun_recent"),
            models.Index(fields=["state", "-created_at", "-id"], name="toolrun_state"),
            models.Index(
                fields=["tool", "-created_at", "-id", "state", "server", "owner"],
                name="toolrun_tool",
            ),
            models.Index(
                fields=["server", "-created_at", "-id", "state", "owner"], name="toolrun_server"
            ),
            models.Index(fields=["owner", "-created_at", "-id", "state"], name="toolrun_owner"),
            models.Index(fields=["call_id"], name="toolrun_call"),
            # All that the page of figures counts: chat/admin/figures/tools.py.
            models.Index(
                fields=["-created_at", "server_name", "tool", "state", "duration_ms"],
                name="toolrun_figures",
            ),
            models.Index(
                fields=["-created_at", "-id", "duration_ms"],
                condition=Q(duration_ms__gt=SLOW_MS),
                name="toolrun_slow",
            ),
            models.Index(
                fields=["created_at"],
                condition=Q(is_sealed=False),
                name="toolrun_to_be_sealed",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["run", "call_id"], name="toolrun_call_once_per_run")
        ]

    def __str__(self) -> str:
        return f"{self.tool} ({self.state})"

    @property
    def is_over(self) -> bool:
        return self.state not in GOING


class Attachment(models.Model):
    """A file that a tool gave back: an image, a sound, or what was too long to be shown."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(AgentRun, on_delete=models.CASCADE, related_name="attachments")
    call_id = models.CharField(_("call id"), max_length=200)
    name = models.CharField(max_length=200, blank=True)
    mime_type = models.CharField(max_length=100)
    bytes = models.PositiveIntegerField()
    file = models.FileField(upload_to="attachments/%Y/%m/")
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        ordering = ["created_at", "pk"]

    def __str__(self) -> str:
        return self.name or self.mime_type

    def get_absolute_url(self) -> str:
        return f"/attachments/{self.pk}/"

    def to_reference(self) -> dict[str, Any]:
        """As the wire and stored steps have it."""
        return {
            "url": self.get_absolute_url(),
            "mime_type": self.mime_type,
            "bytes": self.bytes,
            "name": self.name,
        }


# The one signal here: rows that go with their run are told of by nothing else.
@receiver(post_delete, sender=Attachment)
def _delete_file(instance: Attachment, **_: Any) -> None:
    """Once the row is gone for good, so is its file; one that stays is told of in the log."""
    transaction.on_commit(partial(instance.file.delete, save=False), robust=True)
