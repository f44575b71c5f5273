"""Who may have which tools called: the admins' rules, and what people decided when asked."""

import uuid

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.utils.translation import gettext_lazy as _

from chat.models.servers import MCPServer
from chat.models.tool_runs import ToolRun
from chat.policy import Decision, Hint, Rule


class ToolRule(models.Model):
    """A line of the policy. The first that holds for a call decides; see chat/policy.py."""

    class Decisions(models.TextChoices):
        ALLOW = Decision.ALLOW, _("Allow")
        ASK = Decision.ASK, _("Ask the person")
        DENY = Decision.DENY, _("Deny")

    class Hints(models.TextChoices):
        READ_ONLY = Hint.READ_ONLY, _("says that it only reads")
        WRITES = Hint.WRITES, _("does not say that it only reads")
        DESTRUCTIVE = Hint.DESTRUCTIVE, _("says that it is destructive")

    position = models.PositiveIntegerField(
        _("position"), default=10, help_text=_("The first rule that holds decides.")
    )
    decision = models.CharField(_("decision"), max_length=5, choices=Decisions.choices)
    server = models.ForeignKey(
        MCPServer,
        verbose_name=_("server"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="rules",
        help_text=_("None: any server."),
    )
    tool = models.CharField(
        _("tool"),
        max_length=200,
        default="*",
        help_text=_("As the server calls it; * and ? stand for anything, as in delete_*."),
    )
    group = models.ForeignKey(
        Group,
        verbose_name=_("group"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("Whose calls. None: everybody's."),
    )
    hint = models.CharField(
        _("where the tool"), max_length=12, choices=Hints.choices, blank=True, default=""
    )

    class Meta:
        ordering = ["position", "pk"]
        verbose_name = _("tool rule")
        verbose_name_plural = _("tool rules")

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """As the record names it, in English like all of the record."""
        parts = [f"rule {self.pk}: {self.decision} {self.tool}"]
        if self.server:
            parts.append(f"of {self.server}")
        if self.hint:
            parts.append(f"if {self.hint}")
        if self.group:
            parts.append(f"for {self.group}")
        return " ".join(parts)

    def to_rule(self) -> Rule:
        return Rule(
            decision=Decision(self.decision),
            label=self.label,
            server=self.server.slug if self.server else "",
            tool=self.tool,
            group=self.group_id,
            hint=Hint(self.hint),
        )


class Approval(models.Model):
    """What a person is asked before a call is made, and what they said: once, for this call only.

    Bound to the tool run, the definition (`fingerprint`) and the exact `arguments`; where the
    person changed those, `changed_arguments` is what was executed.
    """

    class State(models.TextChoices):
        OPEN = "open", _("waits")
        ALLOWED = "allowed", _("allowed")
        DENIED = "denied", _("denied")
        EXPIRED = "expired", _("expired")
        CANCELLED = "cancelled", _("Cancelled")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tool_run = models.OneToOneField(ToolRun, on_delete=models.CASCADE, related_name="approval")
    state = models.CharField(_("state"), max_length=9, choices=State.choices, default=State.OPEN)
    fingerprint = models.CharField(max_length=64, blank=True)
    arguments = models.JSONField(default=dict)
    changed_arguments = models.JSONField(null=True, blank=True)
    # The same tool, with the same definition, is not asked about again in this conversation.
    remember = models.BooleanField(default=False)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["created_at", "pk"]
        verbose_name = _("approval")
        verbose_name_plural = _("approvals")
        indexes = [
            models.Index(fields=["state"], name="approval_state"),
            models.Index(
                fields=["expires_at"],
                condition=models.Q(state="open"),
                name="approval_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tool_run.tool}: {self.get_state_display()}"
