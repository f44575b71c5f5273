"""Invitations: who may sign up where not everybody may. The link is signed, and is kept nowhere."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core import signing
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

LIFETIME = timedelta(days=7)
SALT = "chat.models.invitations"


def in_a_week() -> datetime:
    return timezone.now() + LIFETIME


class Invitation(models.Model):
    """One person may sign up once, until then. Deleting it takes it back."""

    email = models.EmailField(_("e-mail address"), blank=True)
    expires_at = models.DateTimeField(_("expires at"), default=in_a_week)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("invited by"),
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
    )
    used_at = models.DateTimeField(_("used at"), null=True, editable=False)
    used_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("used by"),
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
    )

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")

    def __str__(self) -> str:
        return self.email or str(_("Invitation {number}")).format(number=self.pk)

    @staticmethod
    def _open() -> Q:
        return Q(used_at=None, expires_at__gt=timezone.now())

    @property
    def text(self) -> str:
        """What stands for it in a link."""
        return signing.dumps(self.pk, salt=SALT)

    @property
    def is_open(self) -> bool:
        return self.used_at is None and self.expires_at > timezone.now()

    @classmethod
    def by_text(cls, text: str) -> "Invitation | None":
        """That of a link, if somebody may still sign up with it."""
        try:
            key = signing.loads(text, salt=SALT)
        except signing.BadSignature:
            return None
        return cls.objects.filter(cls._open(), pk=key).first()

    def take(self, person: Any) -> bool:
        """Whether it is theirs: of two at once one gets it."""
        mine = type(self).objects.filter(self._open(), pk=self.pk)
        return bool(mine.update(used_at=timezone.now(), used_by=person))
