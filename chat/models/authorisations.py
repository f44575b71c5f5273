"""Who has authorised us at an MCP server. What is secret is encrypted before it is stored."""

import base64
import hashlib
import uuid
from datetime import datetime, timedelta

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chat.models.servers import MCPServer

REQUEST_LIFETIME = timedelta(minutes=10)


class Unreadable(Exception):
    """It was encrypted with another key."""


def seal(text: str) -> str:
    """Encrypted with MCP_TOKEN_KEY, and safe against changes."""
    return _fernet().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """What was sealed. Raises Unreadable."""
    try:
        return _fernet().decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise Unreadable from error


def _fernet() -> Fernet:
    stretch = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"tokens of MCP servers")
    return Fernet(base64.urlsafe_b64encode(stretch.derive(settings.MCP_TOKEN_KEY.encode())))


class MCPAuthorisation(models.Model):
    """An authorisation at a server, by one person for themselves or by an admin for all (no user).

    Renewing its tokens takes a turn: a refresh token may be used once only, and several
    processes may want to. `version` counts the renewals. A new authorisation is a new row.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    server = models.ForeignKey(
        MCPServer, verbose_name=_("server"), on_delete=models.CASCADE, related_name="authorisations"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    sealed = models.TextField(editable=False)
    version = models.PositiveIntegerField(default=0, editable=False)
    renewing_until = models.DateTimeField(null=True, editable=False)
    # The authorisation server takes the tokens no more.
    refused_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        ordering = ["server__name", "user__username"]
        verbose_name = _("MCP authorisation")
        verbose_name_plural = _("MCP authorisations")
        constraints = [
            models.UniqueConstraint(fields=["server", "user"], name="authorisation_once_per_user"),
            models.UniqueConstraint(
                fields=["server"], condition=Q(user=None), name="authorisation_shared_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.server} for {self.user or 'everybody'}"

    @classmethod
    def replace(cls, server: MCPServer, user_id: int | None, secret: str) -> "MCPAuthorisation":
        """Keep a new authorisation in the place of an old one."""
        with transaction.atomic():
            cls.objects.filter(server=server, user=user_id).delete()
            return cls.objects.create(server=server, user_id=user_id, sealed=seal(secret))

    def take_turn(self, until: datetime) -> bool:
        """Whether it is ours to renew until then."""
        free = Q(renewing_until=None) | Q(renewing_until__lt=timezone.now())
        return bool(self._unchanged().filter(free).update(renewing_until=until))

    def renew(self, secret: str) -> bool:
        """End our turn with new tokens; False if somebody else has renewed or revoked it."""
        return bool(
            self._unchanged().update(
                sealed=seal(secret),
                version=self.version + 1,
                renewing_until=None,
                updated_at=timezone.now(),
            )
        )

    def give_up_turn(self, *, is_refused: bool) -> None:
        now = timezone.now()
        refused_at = now if is_refused else None
        self._unchanged().update(renewing_until=None, refused_at=refused_at, updated_at=now)

    def _unchanged(self) -> "models.QuerySet[MCPAuthorisation]":
        return MCPAuthorisation.objects.filter(pk=self.pk, version=self.version)


class AuthorisationRequest(models.Model):
    """A person has been sent to authorise a server. Ends with their return, or after 10 minutes.

    Known by the hash of the `state` they come back with: single use, and theirs alone.
    """

    state_hash = models.CharField(primary_key=True, max_length=64)
    server = models.ForeignKey(
        MCPServer, verbose_name=_("server"), on_delete=models.CASCADE, related_name="+"
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    is_shared = models.BooleanField()
    sealed = models.TextField()
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.user} at {self.server}"

    @classmethod
    def open(
        cls, server: MCPServer, user_id: int, *, is_shared: bool, state: str, secret: str
    ) -> None:
        cls.objects.filter(expires_at__lt=timezone.now()).delete()
        cls.objects.create(
            state_hash=cls.hash_of(state),
            server=server,
            user_id=user_id,
            is_shared=is_shared,
            sealed=seal(secret),
            expires_at=timezone.now() + REQUEST_LIFETIME,
        )

    @classmethod
    def open_for(cls, user_id: int) -> int:
        """How many of a person have neither ended nor expired."""
        return cls.objects.filter(user=user_id, expires_at__gt=timezone.now()).count()

    @classmethod
    def close(cls, user_id: int, state: str) -> "AuthorisationRequest | None":
        """This person's request with that state, which nobody gets a second time."""
        theirs = cls.objects.filter(
            state_hash=cls.hash_of(state), user=user_id, expires_at__gt=timezone.now()
        )
        found = theirs.select_related("server").first()
        return found if found and theirs.delete()[0] else None

    @staticmethod
    def hash_of(state: str) -> str:
        return hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()
