"""Asking: a question and its run are stored together, or not at all.

`model_name` (one of settings.LLM_MODELS) and `servers_off` (slugs) are the conversation's from then
on; `run_fields` are those of AgentRun. All of it raises QuotaExceeded past the person's limits,
IntegrityError for a known `idempotency_key`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from chat.models.conversations import Conversation
from chat.models.limits import check_start
from chat.models.messages import Message
from chat.models.preferences import Preferences
from chat.models.quotas import Allowance
from chat.models.rows import insert
from chat.models.runs import AgentRun
from chat.text import title_of


def begin(
    owner: Any,
    text: str,
    *,
    system_prompt: str | None = None,
    model_name: str = "",
    servers_off: list[str] | None = None,
    **run_fields: Any,
) -> AgentRun:
    """A new conversation with its first question.

    Without a `system_prompt` it gets the one that its owner chose for all; "" is none.
    """
    if system_prompt is None:
        system_prompt = Preferences.system_prompt_of(owner.pk)
    conversation = Conversation(
        owner=owner,
        title=title_of(settings.REDACTION.text(text)),
        system_prompt=system_prompt,
        seen_at=timezone.now(),
    )
    conversation.is_new = True
    conversation.choose(model_name, servers_off)
    with transaction.atomic():
        allowance = check_start(owner.pk)
        insert(conversation)
        question = _add_question(conversation, text, None)
        return _add_run(conversation, question, allowance, run_fields)


def ask(
    conversation: Conversation,
    text: str,
    *,
    replaces: int | None = None,
    model_name: str = "",
    servers_off: list[str] | None = None,
    **run_fields: Any,
) -> AgentRun:
    """A question that follows the end of the branch that is shown.

    With `replaces`, a question of here, it is another version of that one. An archived conversation
    is back in the list. Raises also RunActive if an answer is in progress here, DoesNotExist (also
    of Message) if it was deleted meanwhile.
    """

    def question() -> Message:
        follows = _asked(conversation, replaces).parent_id if replaces else conversation.end()
        conversation.current_id = None
        return _add_question(conversation, text, follows)

    return _start(conversation, question, model_name, servers_off, run_fields)


def regenerate(
    conversation: Conversation,
    message_id: int,
    *,
    model_name: str = "",
    servers_off: list[str] | None = None,
    **run_fields: Any,
) -> AgentRun:
    """Have a question of here answered once more. Otherwise as `ask`."""

    def question() -> Message:
        conversation.current = _asked(conversation, message_id)
        return conversation.current

    return _start(conversation, question, model_name, servers_off, run_fields)


def _start(
    conversation: Conversation,
    question: Callable[[], Message],
    model_name: str,
    servers_off: list[str] | None,
    run_fields: Mapping[str, Any],
) -> AgentRun:
    here = Conversation.objects.filter(pk=conversation.pk, deleted_at=None)
    with transaction.atomic():
        # First: who deletes it now waits, and then sees the run; and nobody else asks here.
        if not here.update(updated_at=timezone.now(), archived_at=None):
            raise Conversation.DoesNotExist
        # Asked, and not left to the constraint: the row of an active run may be locked by a
        # journal that is ending it, and waits for this conversation.
        conversation.check_at_rest()
        allowance = check_start(conversation.owner_id)
        conversation.current_id = was = here.values_list("current_id", flat=True).get()
        message = question()
        if conversation.choose(model_name, servers_off) or conversation.current_id != was:
            conversation.save(update_fields=["model_name", "servers_off", "current"])
        return _add_run(conversation, message, allowance, run_fields)


def _asked(conversation: Conversation, message_id: int) -> Message:
    return conversation.messages.get(pk=message_id, role=Message.Role.USER)


def _add_question(conversation: Conversation, text: str, follows: int | None) -> Message:
    content = settings.REDACTION.text(text)
    message = Message(
        conversation=conversation, role=Message.Role.USER, content=content, parent_id=follows
    )
    insert(message)
    return message


def _add_run(
    conversation: Conversation,
    message: Message,
    allowance: Allowance,
    run_fields: Mapping[str, Any],
) -> AgentRun:
    run = AgentRun(
        conversation=conversation,
        owner_id=conversation.owner_id,
        message=message,
        model_name=conversation.current_model_name,
        **run_fields,
    )
    insert(run)
    run.allowance = allowance
    return run
