"""Reads the turns of a conversation that the page shows: one branch of what was said."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from django.http import HttpRequest

from chat.errors import RunActive
from chat.models import ACTIVE_STATUSES, AgentRun, Conversation, Message, Tree
from chat.runs import changes
from chat.runs.pool import in_pool
from chat.usage import Total, Usage
from chat.views.shown import ShownRun, shown_runs

TURNS = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Versions:
    """Which one of several this is, counted from 1, and the messages before and after it."""

    number: int
    count: int
    before: int | None
    after: int | None

    @classmethod
    def of(cls, keys: Sequence[int], key: int | None) -> "Versions | None":
        """None where there is only one. `key` is None for one that is still being written."""
        is_new = key is None or key not in keys
        index = len(keys) if key is None or is_new else keys.index(key)
        count = len(keys) + is_new
        if count < 2:
            return None
        return cls(
            number=index + 1,
            count=count,
            before=keys[index - 1] if index else None,
            after=keys[index + 1] if index + 1 < len(keys) else None,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """A question and its answer. The model remembers from `is_first_remembered` on."""

    message: Message
    run: ShownRun | None
    versions: Versions | None = None
    answers: Versions | None = None
    # The run of the answer before it, as far as scripts have to know.
    follows: str = ""
    is_first_remembered: bool = False

    @property
    def anchor(self) -> str:
        return f"m{self.message.pk}"


def turns_of(
    conversation: Conversation, count: int = TURNS, message_id: int | None = None
) -> tuple[list[Turn], bool]:
    """The last `count` turns of the branch that is shown, oldest first; whether there are more.

    With `message_id`: of the branch of that message, and at least from there on.
    """
    # In this order: an answer that comes meanwhile is in the tree.
    end = conversation.end()
    tree = conversation.tree()
    path = tree.path_to(end)
    if message_id in tree.parents and message_id not in path:
        path = tree.path_to(tree.end_of(message_id))
    pairs = tree.turns(path)
    places = (place for place, pair in enumerate(pairs) if message_id and message_id in pair)
    first = min(max(0, len(pairs) - count), next(places, len(pairs)))
    turns = _turns(pairs[first:], tree)
    if turns and turns[-1].run:
        newest = as_newest(turns[-1].run, len(pairs))
        turns[-1] = replace(turns[-1], run=newest)
        if 0 < newest.turns_remembered <= len(turns):
            remembered = -newest.turns_remembered
            turns[remembered] = replace(turns[remembered], is_first_remembered=True)
    return turns, first > 0


async def turn_to(conversation: Conversation, message_id: int) -> None:
    """From now on the branch of this message is shown, if that can be."""
    with suppress(RunActive, Message.DoesNotExist):
        if not await in_pool(_shows, conversation, message_id):
            await changes.change(conversation, {"current_message_id": message_id})


def _shows(conversation: Conversation, message_id: int) -> bool:
    end = conversation.end()
    return message_id in conversation.tree().path_to(end)


def number_in(request: HttpRequest, name: str) -> int | None:
    """A parameter of the page's address."""
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def turn_of(run: AgentRun) -> Turn:
    """The question of a run with this answer of it."""
    tree = run.conversation.tree()
    shown = as_newest(shown_runs([run])[0], len(tree.turns(tree.path_to(run.message_id))))
    before = run.message.parent
    follows = str(before.run_id or "") if before else ""
    return replace(_turn(run.message, shown, tree), follows=follows)


def _turns(pairs: Sequence[tuple[int, int | None]], tree: Tree) -> list[Turn]:
    messages = Message.objects.in_bulk([question for question, _ in pairs])
    runs = AgentRun.objects.select_related("answer")
    found = list(runs.filter(answer__in=[answer for _, answer in pairs if answer]))
    if pairs and pairs[-1][1] is None:
        # In progress: the newest one to have begun, whatever else was answered to it.
        found += runs.filter(message=pairs[-1][0]).order_by("-created_at")[:1]
    shown = {run.run.message_id: run for run in shown_runs(found)}
    return [_turn(messages[key], shown.get(key), tree) for key, _ in pairs]


def _turn(message: Message, run: ShownRun | None, tree: Tree) -> Turn:
    answer = getattr(run.run, "answer", None) if run else None
    return Turn(
        message=message,
        run=run,
        versions=Versions.of(tree.versions_of(message.pk), message.pk),
        answers=Versions.of(tree.answers_to(message.pk), answer and answer.pk) if run else None,
    )


def as_newest(shown: ShownRun, asked: int) -> ShownRun:
    """With what is told below the last answer only; `asked`: the questions of its branch."""
    run = shown.run
    answers = AgentRun.objects.filter(conversation=run.conversation_id).exclude(
        status__in=ACTIVE_STATUSES
    )
    usages = [Usage.from_json(usage) for usage in answers.values_list("usage", flat=True)]
    spent = Total.of(usages) if len(usages) > 1 else None
    remembered = max(0, asked - run.turns_left_out) if run.turns_left_out else 0
    return replace(shown, spent=spent, turns_remembered=remembered)
