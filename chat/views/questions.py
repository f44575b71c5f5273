"""Storing a question that came in over the API."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError

from chat.errors import QuotaExceeded, RunActive
from chat.models import AgentRun, Conversation, Message, questions
from chat.runs import supervisor
from chat.views.access import ApiRequest
from chat.views.bodies import Question, read_question
from chat.views.server_choice import servers_off


async def ask(
    request: ApiRequest, conversation_id: UUID | None = None, *, approvals: str = "wait"
) -> AgentRun | None:
    """Store the request's question and start its run; None if the conversation is not theirs.

    `approvals`: "wait" or "deny", where the body does not say. A repeated Idempotency-Key gives
    the first request's run. Raises BadRequest, RunActive, QuotaExceeded, Restarting.
    """
    question = read_question(request, approvals=approvals)
    supervisor.check_open()
    target = conversation_id or question.conversation_id
    try:
        return await supervisor.begin(lambda: _store(request.person, question, target))
    except ObjectDoesNotExist:
        return None


def _store(owner: Any, question: Question, conversation_id: UUID | None) -> tuple[AgentRun, bool]:
    """The run, and whether it is new. Raises ObjectDoesNotExist, and what `ask` raises."""
    if earlier := _earlier(owner, question):
        return earlier, False
    options: dict[str, Any] = {
        "model_name": question.model_name,
        "servers_off": servers_off(owner.pk, question.servers),
        "idempotency_key": question.idempotency_key,
        "denies_approvals": question.denies_approvals,
        **supervisor.as_ours(),
    }
    try:
        if conversation_id is None:
            if question.replaces or question.regenerates:
                raise Message.DoesNotExist
            options["system_prompt"] = question.system_prompt
            return questions.begin(owner, question.message, **options), True
        conversation = Conversation.objects.of(owner).get(pk=conversation_id)
        if question.regenerates:
            return questions.regenerate(conversation, question.regenerates, **options), True
        options["replaces"] = question.replaces
        return questions.ask(conversation, question.message, **options), True
    except (IntegrityError, RunActive, QuotaExceeded):
        # The same key at the same moment: the other request was first.
        if earlier := _earlier(owner, question):
            return earlier, False
        raise


def _earlier(owner: Any, question: Question) -> AgentRun | None:
    if question.idempotency_key is None:
        return None
    runs = AgentRun.objects.filter(owner=owner, idempotency_key=question.idempotency_key)
    run = runs.select_related("conversation").first()
    if run and run.conversation.deleted_at:
        raise Conversation.DoesNotExist
    return run
