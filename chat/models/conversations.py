"""Conversations: how they are listed, and which branch of what was said in them is shown."""

import uuid
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, Max, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chat.errors import RunActive
from chat.models.messages import Message, Tree
from chat.models.runs import ACTIVE_STATUSES, AgentRun
from chat.text import say

# How long a deleted conversation can be brought back; then it is gone for good.
UNDO_SECONDS = 3600


class ConversationQuerySet(models.QuerySet["Conversation"]):
    """Whoever looks up a conversation for a person does it through `of`, or `deleted_of`."""

    def of(self, owner: Any) -> Self:
        """Theirs, without what they deleted."""
        return self.filter(owner=owner, deleted_at=None)

    def deleted_of(self, owner: Any) -> Self:
        """What they deleted and can still bring back."""
        return self.filter(owner=owner, deleted_at__gt=undo_deadline())


class Conversation(models.Model):
    """What a person sees in the sidebar; owns messages and runs."""

    class TitleSource(models.TextChoices):
        WORDS = "words", _("the first words")
        MODEL = "model"
        PERSON = "person"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("owner"),
        on_delete=models.CASCADE,
        related_name="conversations",
    )
    title = models.CharField(_("title"), max_length=200, blank=True)
    title_source = models.CharField(
        max_length=6, choices=TitleSource.choices, default=TitleSource.WORDS
    )
    system_prompt = models.TextField(_("system prompt"), blank=True)
    # The one that was chosen last; empty: whatever is the default.
    model_name = models.CharField(_("model name"), max_length=200, blank=True)
    # The slugs of MCP servers whose tools are not used here; a new server is on by itself.
    servers_off = models.JSONField(default=list, blank=True)
    # The branch that its owner chose is the one of this message; empty: the newest branch.
    # Messages go only with all of the conversation, so nothing has to watch over it.
    current = models.ForeignKey(
        Message,
        on_delete=models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"), default=timezone.now)
    # When its owner last had it before them; empty: before anybody took note of that.
    seen_at = models.DateTimeField(null=True, blank=True)
    pinned_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(_("archived at"), null=True, blank=True)
    # From then on it is there for nobody; UNDO_SECONDS later it is erased: runs/upkeep/erasing.py.
    deleted_at = models.DateTimeField(_("deleted at"), null=True, blank=True)
    # It was not held here but brought along in a file.
    imported_at = models.DateTimeField(_("imported at"), null=True, blank=True)

    objects = ConversationQuerySet.as_manager()
    # Made just now: nothing was said in it before its first question.
    is_new = False

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        ordering = ["-updated_at"]
        indexes = [
            models.Index(fields=["owner", "-updated_at"], name="conversation_recent"),
            models.Index(
                fields=["owner"], condition=Q(pinned_at__isnull=False), name="conversation_pinned"
            ),
            models.Index(
                fields=["deleted_at"],
                condition=Q(deleted_at__isnull=False),
                name="conversation_deleted",
            ),
        ]

    def __str__(self) -> str:
        return self.title or gettext("New chat")

    def get_absolute_url(self) -> str:
        return f"/c/{self.pk}/"

    @property
    def current_model_name(self) -> str:
        """The model that answers next: the one chosen last, while it is on offer."""
        is_on_offer = self.model_name in settings.LLM_MODELS
        return self.model_name if is_on_offer else settings.LLM_MODEL

    def change(
        self,
        *,
        title: str | None = None,
        system_prompt: str | None = None,
        is_pinned: bool | None = None,
        is_archived: bool | None = None,
        current_message_id: int | None = None,
    ) -> None:
        """Change what is not None. Its place among the others stays what it was.

        `current_message_id`: show the branch of this message, down to its newest end. Raises
        Message.DoesNotExist if it is not of here, RunActive while an answer is in progress.
        """
        changed: dict[str, Any] = {}
        if current_message_id is not None:
            changed["current"] = self.messages.get(pk=current_message_id)
            self.check_at_rest()
        if title is not None:
            changed |= {"title": title, "title_source": self.TitleSource.PERSON}
        if system_prompt is not None:
            changed["system_prompt"] = system_prompt
        if is_pinned is not None and is_pinned != bool(self.pinned_at):
            changed["pinned_at"] = timezone.now() if is_pinned else None
        if is_archived is not None and is_archived != bool(self.archived_at):
            changed["archived_at"] = timezone.now() if is_archived else None
        for name, value in changed.items():
            setattr(self, name, value)
        if changed:
            self.save(update_fields=list(changed))

    def choose(self, model_name: str, servers_off: list[str] | None) -> bool:
        """From now on; empty and None: as it was. Whether anything is different now, not stored."""
        before = self.model_name, self.servers_off
        self.model_name = model_name or self.model_name
        self.servers_off = self.servers_off if servers_off is None else servers_off
        return before != (self.model_name, self.servers_off)

    def check_at_rest(self) -> None:
        """Raises RunActive while an answer is in progress."""
        if self.runs.filter(status__in=ACTIVE_STATUSES).exists():
            raise RunActive(say("An answer is still in progress in this conversation."))

    def end(self) -> int | None:
        """The last message of the branch that is shown; None where nothing was said.

        While an answer is in progress: its question.
        """
        active = self.runs.filter(status__in=ACTIVE_STATUSES)
        if asked := active.order_by().values_list("message_id", flat=True).first():
            return int(asked)
        if self.current_id:
            return self.tree().end_of(self.current_id)
        newest: int | None = self.messages.aggregate(newest=Max("pk"))["newest"]
        return newest

    def tree(self) -> Tree:
        return Tree(self.messages.order_by("pk").values_list("pk", "parent_id", "role"))


def has_news() -> Exists:
    """Of conversations: an answer has ended that the owner has not had before them."""
    ended = AgentRun.objects.filter(finished_at__gt=OuterRef("seen_at"))
    return Exists(ended.filter(conversation=OuterRef("pk")))


def undo_deadline() -> datetime:
    """What was deleted before cannot be brought back."""
    return timezone.now() - timedelta(seconds=UNDO_SECONDS)
