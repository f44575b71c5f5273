"""MCP servers and their tools: what is configured, what was seen, what was accepted."""

import uuid

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class MCPServer(models.Model):
    """The configuration of a server, and what was last seen of it.

    Where it has neither `url` nor `command`, the deployment has taken it away: the record stays.
    """

    class Source(models.TextChoices):
        DEMO = "demo", _("comes along")
        ENVIRONMENT = "environment", "MCP_SERVER_URL"
        CONFIG = "config", "MCP_CONFIG"
        ADMIN = "admin", _("added here")

    class Authorisation(models.TextChoices):
        NONE = "none", _("none, or the headers above")
        SHARED = "shared", _("OAuth: an admin, once for all")
        PERSONAL = "personal", _("OAuth: each person for themselves")

    class State(models.TextChoices):
        UNKNOWN = "unknown", _("not used yet")
        CONNECTING = "connecting", _("Connecting")
        READY = "ready", _("Ready")
        DOWN = "down", _("Down")
        UNAUTHORISED = "unauthorised", _("needs authorisation")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("name"), max_length=100)
    slug = models.SlugField(_("slug"), max_length=40, unique=True)
    source = models.CharField(
        max_length=12, choices=Source.choices, default=Source.ADMIN, editable=False
    )
    url = models.URLField(
        _("url"),
        max_length=500,
        blank=True,
        help_text=_("Its streamable HTTP address, often ending in /mcp."),
    )
    # For reading only: what is started is what MCP_CONFIG says, never what a row says.
    command = models.CharField(max_length=500, blank=True, editable=False)
    headers = models.JSONField(default=dict, blank=True)
    authorisation = models.CharField(
        _("authorisation"),
        max_length=8,
        choices=Authorisation.choices,
        default=Authorisation.NONE,
        help_text=_("Whose account at the server its tools act for."),
    )
    # Our registration at its authorisation server, where that cannot be made on the fly.
    oauth_client_id = models.CharField(_("client ID"), max_length=500, blank=True, editable=False)
    oauth_client_secret = models.TextField(blank=True, editable=False)
    timeout_seconds = models.PositiveIntegerField(
        _("timeout seconds"),
        null=True,
        blank=True,
        help_text=_("For one call. Empty: TOOL_TIMEOUT_SECONDS."),
    )
    groups = models.ManyToManyField(
        Group,
        verbose_name=_("groups"),
        blank=True,
        help_text=_("Who may use its tools. None: everybody."),
    )
    is_trusted = models.BooleanField(
        _("trusted"),
        default=False,
        help_text=_(
            "Its tools are called without asking, but for those that say they are destructive."
            " Else people are asked first, but for tools that say they only read."
        ),
    )
    may_repeat = models.BooleanField(
        _("may repeat calls"),
        default=False,
        help_text=_("After a crash, call tools again that say they only read or are idempotent."),
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)
    state = models.CharField(
        max_length=12, choices=State.choices, default=State.UNKNOWN, editable=False
    )
    state_reason = models.TextField(blank=True, editable=False)
    protocol_version = models.CharField(max_length=20, blank=True, editable=False)
    last_seen_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        verbose_name = _("MCP server")
        verbose_name_plural = _("MCP servers")

    def __str__(self) -> str:
        return self.name

    @property
    def is_configured(self) -> bool:
        """By the deployment, which knows its address; one in a form may be anybody's."""
        return self.source != self.Source.ADMIN


class ToolQuerySet(models.QuerySet["MCPTool"]):
    """Tools by what became of their definitions."""

    def offered(self) -> "ToolQuerySet":
        """Those that runs are given."""
        seen = self.filter(is_enabled=True, is_listed=True, problem="")
        return seen.filter(fingerprint=models.F("accepted_fingerprint"))

    def changed(self) -> "ToolQuerySet":
        """Those that wait for a review."""
        return self.filter(is_listed=True).exclude(fingerprint=models.F("accepted_fingerprint"))


class MCPTool(models.Model):
    """A tool as its server defines it, beside the definition that was accepted.

    The first definition that is seen is accepted; another one waits for a review and is not
    offered before. `problem` says why a definition cannot be used at all.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    server = models.ForeignKey(
        MCPServer, verbose_name=_("server"), on_delete=models.CASCADE, related_name="tools"
    )
    name = models.CharField(_("name"), max_length=200, help_text=_("What the server calls it."))
    is_enabled = models.BooleanField(_("enabled"), default=True)
    is_listed = models.BooleanField("listed", default=True, editable=False)
    # As in `tools/list`: name, title, description, inputSchema, outputSchema, annotations.
    definition = models.JSONField(default=dict, editable=False)
    fingerprint = models.CharField(max_length=64, blank=True, editable=False)
    accepted_definition = models.JSONField(default=dict, editable=False)
    accepted_fingerprint = models.CharField(max_length=64, blank=True, editable=False)
    problem = models.TextField(blank=True, editable=False)
    first_seen_at = models.DateTimeField(_("first seen at"), auto_now_add=True)
    changed_at = models.DateTimeField(_("changed at"), null=True, blank=True, editable=False)
    reviewed_at = models.DateTimeField(null=True, blank=True, editable=False)
    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
    )

    objects = ToolQuerySet.as_manager()

    class Meta:
        ordering = ["server__name", "name"]
        verbose_name = _("MCP tool")
        verbose_name_plural = _("MCP tools")
        constraints = [
            models.UniqueConstraint(fields=["server", "name"], name="mcptool_once_per_server")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_changed(self) -> bool:
        """Its definition is not the accepted one: it waits for a review."""
        return self.fingerprint != self.accepted_fingerprint

    def accept(self, fingerprint: str, reviewer_id: int) -> bool:
        """Accept the definition that the reviewer has seen; False if it has changed since."""
        seen = MCPTool.objects.filter(pk=self.pk, fingerprint=fingerprint)
        return bool(
            seen.update(
                accepted_definition=models.F("definition"),
                accepted_fingerprint=fingerprint,
                reviewed_at=timezone.now(),
                reviewed_by=reviewer_id,
            )
        )

    @property
    def is_offered(self) -> bool:
        return self.is_enabled and self.is_listed and not self.problem and not self.is_changed
