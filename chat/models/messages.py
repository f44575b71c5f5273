"""What was said: a tree, because a question or an answer may have several versions.

See docs/decisions/0014-messages-are-a-tree.md.
"""

from collections.abc import Iterable

from django.db import models
from django.db.models.expressions import RawSQL

from chat.models.runs import AgentRun
from chat.steps import Step

_PATH = """
    WITH RECURSIVE path (id, parent_id) AS (
        SELECT id, parent_id FROM chat_message WHERE id = %s
        UNION ALL
        SELECT m.id, m.parent_id FROM chat_message m JOIN path ON m.id = path.parent_id)
    SELECT id FROM path"""


class Message(models.Model):
    """Something said; immutable. An answer is written once, when its run is over.

    `content` of an answer is its final text; `steps` holds all of it (see chat.steps).
    `parent` is what it follows: an answer follows its question, a question the answer before it.
    Who follows the same are versions of each other. A message is younger than its parent.
    """

    class Role(models.TextChoices):
        USER = "user"
        ASSISTANT = "assistant"

    conversation = models.ForeignKey(
        "chat.Conversation", on_delete=models.CASCADE, related_name="messages"
    )
    # Branches go with their conversation: to cascade here would be one query for each message.
    parent = models.ForeignKey(
        "self", on_delete=models.DO_NOTHING, null=True, blank=True, related_name="children"
    )
    role = models.CharField(max_length=10, choices=Role.choices)
    content = models.TextField(blank=True)
    steps = models.JSONField(default=list, blank=True)
    # The run that this message is the answer of; empty for a question.
    run = models.OneToOneField(
        AgentRun, on_delete=models.CASCADE, null=True, blank=True, related_name="answer"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(role="user", run=None)
                | models.Q(role="assistant", run__isnull=False),
                name="message_answer_has_run",
            )
        ]

    def __str__(self) -> str:
        return f"{self.role}: {self.content[:60]}"

    def read_steps(self) -> list[Step]:
        return [Step.from_json(step) for step in self.steps]


def path_to(message_id: int) -> models.QuerySet[Message]:
    """All from the first message of its branch to this one, in order."""
    # The statement is a constant; the number is its parameter.
    path = RawSQL(_PATH, [message_id])  # noqa: S611
    return Message.objects.filter(pk__in=path).order_by("pk")


class Tree:
    """Which message of a conversation follows which: by their keys, without their texts.

    `rows`: key, parent's key and role of each, the oldest first.
    """

    def __init__(self, rows: Iterable[tuple[int, int | None, str]]) -> None:
        self.parents: dict[int, int | None] = {}
        self._versions: dict[tuple[int | None, str], list[int]] = {}
        self._roles: dict[int, str] = {}
        for key, parent, role in rows:
            self.parents[key], self._roles[key] = parent, role
            self._versions.setdefault((parent, role), []).append(key)

    def path_to(self, key: int | None) -> list[int]:
        """From the first of the branch to this one; nothing to None."""
        path: list[int] = []
        while key is not None:
            path.append(key)
            key = self.parents[key]
        return path[::-1]

    def end_of(self, key: int) -> int:
        """The newest of all that follow this one, or itself."""
        inside, end = {key}, key
        for each, parent in self.parents.items():
            if parent in inside:
                inside.add(each)
                end = each
        return end

    def versions_of(self, key: int) -> list[int]:
        """It and those it could be exchanged for, the oldest first."""
        return self._versions[self.parents[key], self._roles[key]]

    def turns(self, path: Iterable[int]) -> list[tuple[int, int | None]]:
        """The questions of a path, each with its answer; the last one may have none."""
        turns: list[tuple[int, int | None]] = []
        for key in path:
            if self._roles[key] == Message.Role.USER:
                turns.append((key, None))
            else:
                turns[-1] = (turns[-1][0], key)
        return turns

    def answers_to(self, key: int) -> list[int]:
        """Of a question."""
        return self._versions.get((key, Message.Role.ASSISTANT), [])
