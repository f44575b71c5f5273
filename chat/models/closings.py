"""Accounts that are closed: all that is theirs is about to be erased."""

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from chat.models.access import ApiToken
from chat.models.runs import ACTIVE_STATUSES, AgentRun
from chat.models.sessions import Session


class AccountClosing(models.Model):
    """One row until the account is erased, so that a crash in between leaves nothing behind."""

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    asked_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"of {self.person}"

    @classmethod
    def close(cls, person: Any) -> bool:
        """From now on nobody can sign in or go on as this person; their answers are to stop.

        False for the last superuser, who stays.
        """
        with transaction.atomic():
            superusers = get_user_model().objects.filter(is_superuser=True, is_active=True)
            # One at a time, so that the last two cannot both go.
            keys = list(superusers.order_by("pk").select_for_update().values_list("pk", flat=True))
            if keys == [person.pk]:
                return False
            # Pressed twice: it is done already.
            if not get_user_model().objects.select_for_update().filter(pk=person.pk):
                return True
            now = timezone.now()
            cls.objects.get_or_create(person_id=person.pk)
            get_user_model().objects.filter(pk=person.pk).update(is_active=False)
            Session.objects.filter(person=person.pk).delete()
            ApiToken.live_of(person.pk).update(revoked_at=now)
            stop_answers(person.pk)
        return True


def stop_answers(person_id: int) -> None:
    """Ask for all running answers of this person to stop, in whatever process they are."""
    running = Q(status__in=ACTIVE_STATUSES, cancel_requested_at=None)
    AgentRun.objects.filter(running, owner=person_id).update(cancel_requested_at=timezone.now())
