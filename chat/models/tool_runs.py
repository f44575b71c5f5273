"""Tool calls on record, with the files that they gave back."""

import uuid
from functools import partial
from typing import Any

from django.db import models, transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver

from chat.models.runs import AgentRun
from chat.models.servers import MCPServer


class ToolRunState(models.TextChoices):
    REQUESTED = "requested"
    AWAITING_APPROVAL = "awaiting_approval"
    RUNNING = "running"
    OK = "ok"
    TOOL_ERROR = "tool_error", "Error"
    TIMEOUT = "timeout"
    DENIED = "denied"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"
    LOST = "lost"


class ToolRun(models.Model):
    """The row of a tool call's life: requested → running → an outcome."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(AgentRun, on_delete=models.CASCADE, related_name="tool_runs")
    call_id = models.CharField(max_length=200)
    iteration = models.PositiveSmallIntegerField()
    tool = models.CharField(max_length=200)
    title = models.CharField(max_length=200, blank=True)
    server = models.ForeignKey(
        MCPServer, on_delete=models.SET_NULL, null=True, blank=True, related_name="tool_runs"
    )
    # Kept as text too: the record outlives the server's row.
    server_name = models.CharField(max_length=100, blank=True)
    arguments = models.JSONField(default=dict)
    invalid_arguments = models.TextField(blank=True)
    state = models.CharField(
        max_length=20, choices=ToolRunState.choices, default=ToolRunState.REQUESTED
    )
    # Of the definition that was executed; see MCPTool.
    fingerprint = models.CharField(max_length=64, blank=True)
    result = models.TextField(blank=True)
    # Of the whole result as text, in bytes; `result` may hold less of it.
    result_bytes = models.PositiveIntegerField(null=True, blank=True)
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["created_at", "pk"]
        verbose_name = "tool run"
        indexes = [
            models.Index(fields=["-created_at"], name="toolrun_recent"),
            models.Index(fields=["state", "-created_at"], name="toolrun_state"),
            models.Index(fields=["tool", "-created_at"], name="toolrun_tool"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["run", "call_id"], name="toolrun_call_once_per_run")
        ]

    def __str__(self) -> str:
        return f"{self.tool} ({self.state})"

    @property
    def is_over(self) -> bool:
        return self.state not in {
            ToolRunState.REQUESTED,
            ToolRunState.AWAITING_APPROVAL,
            ToolRunState.RUNNING,
        }


class Attachment(models.Model):
    """A file that a tool gave back: an image, a sound, or what was too long to be shown."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(AgentRun, on_delete=models.CASCADE, related_name="attachments")
    call_id = models.CharField(max_length=200)
    name = models.CharField(max_length=200, blank=True)
    mime_type = models.CharField(max_length=100)
    bytes = models.PositiveIntegerField()
    file = models.FileField(upload_to="attachments/%Y/%m/")
    created_at = models.DateTimeField(auto_now_add=True)

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
