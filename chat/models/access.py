"""API tokens: the credentials of programs."""

import hashlib
import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from chat.models.rows import Prepared

# Live ones, of those that a person makes for themselves.
MOST_TOKENS = 50


class ApiToken(models.Model):
    """A program's credential for one person. Only its hash is stored; the text is shown once."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("owner"),
        on_delete=models.CASCADE,
        related_name="api_tokens",
    )
    MAX_NAME_CHARACTERS = 100
    name = models.CharField(_("name"), max_length=MAX_NAME_CHARACTERS, blank=True)
    # 256 random bits need no slow hash: there is nothing to guess.
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")

    def __str__(self) -> str:
        return f"{self.name or 'token'} of {self.owner}"

    @classmethod
    def issue(cls, owner, name: str = "") -> tuple["ApiToken", str]:
        """A new token and its text, which exists only in this return value."""
        text = f"fl_{secrets.token_urlsafe(32)}"
        return cls.objects.create(owner=owner, name=name, token_hash=cls.hash_of(text)), text

    @classmethod
    def live_of(cls, owner: Any) -> models.QuerySet["ApiToken"]:
        """Whoever looks up a token for a person does it through this."""
        return cls.objects.filter(owner=owner, revoked_at=None)

    @classmethod
    def issue_one_more(cls, owner: Any, name: str) -> str | None:
        """As `issue`, but None where they have MOST_TOKENS already."""
        with transaction.atomic():
            # One at a time, so that two cannot both be the last.
            get_user_model().objects.select_for_update().get(pk=owner.pk)
            if cls.live_of(owner).count() >= MOST_TOKENS:
                return None
            return cls.issue(owner, name)[1]

    @staticmethod
    def hash_of(text: str) -> str:
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    @classmethod
    def owner_of(cls, text: str):
        """The active user whose valid token this is, or None."""
        return next(iter(_owners(cls.hash_of(text))), None)


_owners = Prepared(
    lambda token_hash: get_user_model()._default_manager.filter(
        api_tokens__token_hash=token_hash, api_tokens__revoked_at=None, is_active=True
    )
)
