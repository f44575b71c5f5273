"""Reads the list of conversations in the sidebar."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chat.models import ACTIVE_STATUSES, AgentRun, Conversation, InputRequest, has_news

SHOWN = 50
# Days since something happened in them.
AGES = ((0, _("Today")), (1, _("Yesterday")), (7, _("Last week")))


@dataclass(frozen=True, kw_only=True, slots=True)
class Sidebar:
    """Conversations under "Pinned", "Today" and so on. `more`: how many to ask for next; 0: all.

    `deleted` is one that was deleted just now and can be brought back.
    """

    groups: Sequence[tuple[str, Sequence[Conversation]]]
    more: int
    deleted: UUID | None = None


def sidebar_of(owner: Any, shown: int = SHOWN, deleted: UUID | None = None) -> Sidebar:
    """The pinned ones, then the newest: `shown` of them altogether, at most."""
    active = AgentRun.objects.filter(conversation=OuterRef("pk"), status__in=ACTIVE_STATUSES)
    questions = InputRequest.objects.filter(
        run__conversation=OuterRef("pk"),
        run__status__in=ACTIVE_STATUSES,
        state=InputRequest.State.OPEN,
    )
    listed = (
        Conversation.objects.of(owner)
        .filter(archived_at=None)
        .annotate(
            active_status=Subquery(active.values("status")[:1]),
            is_asking=Exists(questions),
            has_news=has_news(),
        )
        .only("id", "title", "updated_at", "pinned_at")
        .order_by("-updated_at", "pk")
    )
    pinned = list(listed.filter(pinned_at__isnull=False)[: shown + 1])
    others = list(listed.filter(pinned_at=None)[: shown + 1 - len(pinned)])
    found = pinned + others
    groups = [(name, list(each)) for name, each in groupby(found[:shown], key=_heading)]
    is_undone = deleted and Conversation.objects.deleted_of(owner).filter(pk=deleted).exists()
    return Sidebar(
        groups=groups,
        more=shown + SHOWN if len(found) > shown else 0,
        deleted=deleted if is_undone else None,
    )


def sidebar_for(request: HttpRequest) -> Sidebar:
    """As this request wants it: `?shown=` says how many, `?deleted=` what can be undone."""
    text, deleted = request.GET.get("shown", ""), request.GET.get("deleted", "")
    is_number = text.isascii() and text.isdigit() and len(text) < 6
    try:
        deleted_id = UUID(deleted)
    except ValueError:
        deleted_id = None
    return sidebar_of(request.user, max(SHOWN, int(text)) if is_number else SHOWN, deleted_id)


def archived_of(owner: Any) -> QuerySet[Conversation]:
    archived = Conversation.objects.of(owner).filter(archived_at__isnull=False)
    return archived.order_by("-updated_at", "pk")


def _heading(conversation: Conversation) -> str:
    if conversation.pinned_at:
        return gettext("Pinned")
    age = timezone.localdate() - timezone.localdate(conversation.updated_at)
    for days, name in AGES:
        if age.days <= days:
            return str(name)
    return gettext("Older")
