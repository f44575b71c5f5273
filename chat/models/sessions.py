"""Sessions with a person: Django's in the database, which name nobody on the outside.

The module is the SESSION_ENGINE.
"""

from contextlib import suppress
from datetime import timedelta
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import DatabaseError, models
from django.utils import timezone
from django.utils.crypto import salted_hmac

# Not with every request: that would be a write each.
SEEN_EVERY = timedelta(minutes=10)
MAX_AGENT_CHARACTERS = 300


class Session(AbstractBaseSession):
    """A browser that is signed in, or has only looked in (no person)."""

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="+"
    )
    # What the browser says it is.
    user_agent = models.CharField(max_length=MAX_AGENT_CHARACTERS, blank=True)
    seen_at = models.DateTimeField(default=timezone.now)

    @classmethod
    def get_session_store_class(cls) -> type["SessionStore"]:
        return SessionStore

    @classmethod
    def live_of(cls, person: Any) -> models.QuerySet["Session"]:
        """Whoever looks up a session for a person does it through this."""
        return cls.objects.filter(person=person, expire_date__gt=timezone.now())

    @property
    def name(self) -> str:
        """What it may be called on a page; its key would be as good as a password."""
        return salted_hmac("chat.models.sessions", self.session_key).hexdigest()


class SessionStore(DatabaseStore):
    """Keeps with each session whose it is. `user_agent` is set where there is a request."""

    user_agent = ""

    def _validate_session_key(self, key: str) -> bool:
        # As we make them: PostgreSQL cannot even be asked for one with a NUL.
        return bool(super()._validate_session_key(key) and key.isalnum())  # type: ignore[misc]

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        return self._described(super().create_model_instance(data), data)

    async def acreate_model_instance(self, data: dict[str, Any]) -> Session:
        return self._described(await super().acreate_model_instance(data), data)

    def _described(self, session: Any, data: dict[str, Any]) -> Session:
        session.person_id = data.get(SESSION_KEY)
        session.user_agent = self.user_agent[:MAX_AGENT_CHARACTERS]
        return cast(Session, session)

    def _get_session_from_db(self) -> Session | None:
        found: Session | None = super()._get_session_from_db()  # type: ignore[misc]
        if found and found.seen_at < timezone.now() - SEEN_EVERY:
            with suppress(DatabaseError):  # It can be read, and that is what was asked for.
                self._seen(found).update(seen_at=timezone.now())
        return found

    async def _aget_session_from_db(self) -> Session | None:
        found: Session | None = await super()._aget_session_from_db()  # type: ignore[misc]
        if found and found.seen_at < timezone.now() - SEEN_EVERY:
            with suppress(DatabaseError):
                await self._seen(found).aupdate(seen_at=timezone.now())
        return found

    @staticmethod
    def _seen(session: Session) -> models.QuerySet[Session]:
        return Session.objects.filter(pk=session.pk)
