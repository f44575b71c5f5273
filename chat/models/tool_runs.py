"""Tool calls on record, and the servers that executed them."""

import uuid

from django.db import models

from chat.models.runs import AgentRun


class MCPServer(models.Model):
    """The configuration of a server, and what was last seen of it."""

    class Source(models.TextChoices):
        DEMO = "demo", "comes along"
        ENVIRONMENT = "environment", "MCP_SERVER_URL"
        ADMIN = "admin", "added here"

    class State(models.TextChoices):
        UNKNOWN = "unknown", "not used yet"
        CONNECTING = "connecting"
        READY = "ready"
        DOWN = "down"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100)
    slug = models.SlugField(max_length=40, unique=True)
    source = models.CharField(
        max_length=12, choices=Source.choices, default=Source.ADMIN, editable=False
    )
    url = models.URLField(
        max_length=500, help_text="Its streamable HTTP address, often ending in /mcp."
    )
    is_enabled = models.BooleanField("enabled", default=True)
    state = models.CharField(
        max_length=12, choices=State.choices, default=State.UNKNOWN, editable=False
    )
    state_reason = models.TextField(blank=True, editable=False)
    protocol_version = models.CharField(max_length=20, blank=True, editable=False)
    tool_names = models.JSONField(default=list, blank=True, editable=False)
    last_seen_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        verbose_name = "MCP server"

    def __str__(self) -> str:
        return self.name


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
    result = models.TextField(blank=True)
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
