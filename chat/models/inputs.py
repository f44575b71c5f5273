"""Questions of MCP servers to people (elicitation), and what was answered."""

import uuid

from django.db import models

from chat.models.runs import AgentRun


class InputRequest(models.Model):
    """A question that a tool call waits for. One answer, from the conversation's owner, in time."""

    class Mode(models.TextChoices):
        FORM = "form"
        URL = "url"

    class State(models.TextChoices):
        OPEN = "open"
        ACCEPTED = "accept", "answered"
        DECLINED = "decline", "declined"
        CANCELLED = "cancel", "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(AgentRun, on_delete=models.CASCADE, related_name="inputs")
    call_id = models.CharField(max_length=200)
    tool = models.CharField(max_length=200)
    server_name = models.CharField(max_length=100)
    mode = models.CharField(max_length=4, choices=Mode.choices)
    message = models.TextField()
    schema = models.JSONField(default=dict)
    url = models.URLField(max_length=2000, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    content = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["created_at", "pk"]

    def __str__(self) -> str:
        return f"{self.server_name}: {self.message[:60]}"
