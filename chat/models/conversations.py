"""Conversations: what is asked in them, and which branch of what was said is shown."""

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, Max, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chat.errors import RunActive
from chat.models.limits import check_start
from chat.models.messages import Message, Tree
from chat.models.preferences import Preferences
from chat.models.quotas import Allowance
from chat.models.rows import insert
from chat.models.runs import ACTIVE_STATUSES, AgentRun
from chat.text import say, title_of

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

    @classmethod
    def begin(
        cls,
        owner,
        text: str,
        *,
        system_prompt: str | None = None,
        model_name: str = "",
        servers_off: list[str] | None = None,
        **run_fields: Any,
    ) -> AgentRun:
        """A new conversation with its first question, in one transaction. See `ask`.

        Without a `system_prompt` it gets the one that its owner chose for all; "" is none.
        """
        if system_prompt is None:
            system_prompt = Preferences.system_prompt_of(owner.pk)
        conversation = cls(
            owner=owner,
            title=title_of(settings.REDACTION.text(text)),
            system_prompt=system_prompt,
            seen_at=timezone.now(),
        )
        conversation.is_new = True
        conversation._choose(model_name, servers_off)
        with transaction.atomic():
            allowance = check_start(owner.pk)
            insert(conversation)
            question = conversation._add_question(text, None)
            return conversation._add_run(question, allowance, run_fields)

    def ask(
        self,
        text: str,
        *,
        replaces: int | None = None,
        model_name: str = "",
        servers_off: list[str] | None = None,
        **run_fields: Any,
    ) -> AgentRun:
        """Store the question and its run, in one transaction.

        It follows the end of the branch that is shown; with `replaces`, a question of here, it is
        another version of that one. `model_name` (one of settings.LLM_MODELS) and `servers_off`
        (slugs) are the conversation's from now on; an archived one is back in the list.
        `run_fields`: of AgentRun.
        Raises RunActive if an answer is in progress here, QuotaExceeded past the person's limits,
        DoesNotExist (also of Message) if it was deleted meanwhile, IntegrityError for a known
        `idempotency_key`; nothing is stored then.
        """

        def question() -> Message:
            follows = self._question(replaces).parent_id if replaces else self.end()
            self.current_id = None
            return self._add_question(text, follows)

        return self._start(question, model_name, servers_off, run_fields)

    def regenerate(
        self,
        message_id: int,
        *,
        model_name: str = "",
        servers_off: list[str] | None = None,
        **run_fields: Any,
    ) -> AgentRun:
        """Have a question of here answered once more. Otherwise as `ask`."""

        def question() -> Message:
            self.current = self._question(message_id)
            return self.current

        return self._start(question, model_name, servers_off, run_fields)

    def _start(
        self,
        question: Callable[[], Message],
        model_name: str,
        servers_off: list[str] | None,
        run_fields: Mapping[str, Any],
    ) -> AgentRun:
        here = Conversation.objects.filter(pk=self.pk, deleted_at=None)
        with transaction.atomic():
            # First: who deletes it now waits, and then sees the run; and nobody else asks here.
            if not here.update(updated_at=timezone.now(), archived_at=None):
                raise Conversation.DoesNotExist
            # Asked, and not left to the constraint: the row of an active run may be locked by a
            # journal that is ending it, and waits for this conversation.
            self._check_at_rest()
            allowance = check_start(self.owner_id)
            self.current_id = was = here.values_list("current_id", flat=True).get()
            message = question()
            if self._choose(model_name, servers_off) or self.current_id != was:
                self.save(update_fields=["model_name", "servers_off", "current"])
            return self._add_run(message, allowance, run_fields)

    def _check_at_rest(self) -> None:
        if self.runs.filter(status__in=ACTIVE_STATUSES).exists():
            raise RunActive(say("An answer is still in progress in this conversation."))

    def _question(self, message_id: int) -> Message:
        return self.messages.get(pk=message_id, role=Message.Role.USER)

    def _add_question(self, text: str, follows: int | None) -> Message:
        content = settings.REDACTION.text(text)
        message = Message(
            conversation=self, role=Message.Role.USER, content=content, parent_id=follows
        )
        insert(message)
        return message

    def _add_run(
        self, message: Message, allowance: Allowance, run_fields: Mapping[str, Any]
    ) -> AgentRun:
        run = AgentRun(
            conversation=self,
            owner_id=self.owner_id,
            message=message,
            model_name=self.current_model_name,
            **run_fields,
        )
        insert(run)
        run.allowance = allowance
        return run

    def _choose(self, model_name: str, servers_off: list[str] | None) -> bool:
        """Whether anything is different now."""
        before = self.model_name, self.servers_off
        self.model_name = model_name or self.model_name
        self.servers_off = self.servers_off if servers_off is None else servers_off
        return before != (self.model_name, self.servers_off)

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
            self._check_at_rest()
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
