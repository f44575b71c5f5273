"""Conversations that have gone on for long: python -m tests.bench.history MESSAGES COUNT.

Prints their ids. The database is the environment's, as it is the server's.
"""

import os
import sys
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.db import transaction  # noqa: E402

from chat.models import AgentRun, Conversation, Message, RunStatus  # noqa: E402

TEXT = "What was said before, in a sentence or two, as people and models say things. " * 2


def grown(owner: Any, messages: int) -> Conversation:
    conversation = Conversation.objects.create(owner=owner, title="bench")
    said = {"conversation": conversation, "content": TEXT}
    last = None
    for _ in range(messages // 2):
        question = Message.objects.create(role="user", parent=last, **said)
        run = AgentRun.objects.create(
            conversation=conversation,
            owner=owner,
            message=question,
            status=RunStatus.COMPLETED,
            model_name="bench",
        )
        steps = [{"content": TEXT, "calls": []}]
        last = Message.objects.create(
            role="assistant", parent=question, run=run, steps=steps, **said
        )
    return conversation


def main() -> None:
    messages, count = map(int, sys.argv[1:])
    owner = get_user_model().objects.get(username="bench")
    with transaction.atomic():
        grown_ones = [grown(owner, messages) for _ in range(count)]
    print(*(conversation.pk for conversation in grown_ones))


if __name__ == "__main__":
    main()
