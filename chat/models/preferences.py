"""What a person has chosen for all of their chats and browsers."""

from typing import Any

from django.conf import settings
from django.db import connection, models

_SYSTEM_PROMPT = "SELECT system_prompt FROM chat_preferences WHERE owner_id = %s"


class Preferences(models.Model):
    """One row for each person who chose something; nothing is empty that they chose."""

    class Theme(models.TextChoices):
        SYSTEM = "system"
        LIGHT = "light"
        DARK = "dark"

    # As the browser asks for it.
    BROWSER = "browser"

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="preferences",
    )
    # Empty: never chosen, so a browser keeps what it has.
    theme = models.CharField(max_length=6, choices=Theme.choices, blank=True)
    # A code of LANGUAGES, or BROWSER; empty: never chosen.
    language = models.CharField(max_length=10, blank=True)
    # Of conversations that begin without one of their own.
    system_prompt = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "preferences"

    def __str__(self) -> str:
        return f"of {self.owner}"

    @classmethod
    def of(cls, owner: Any) -> "Preferences":
        """What they chose, and nothing for the rest; not stored."""
        return cls.objects.filter(owner=owner).first() or cls(owner=owner)

    @staticmethod
    def system_prompt_of(owner_id: Any) -> str:
        """Of conversations that begin now: asked with every first question, so without the ORM."""
        with connection.cursor() as cursor:
            cursor.execute(_SYSTEM_PROMPT, [owner_id])
            found = cursor.fetchone()
        return found[0] if found else ""

    @classmethod
    def keep(cls, owner: Any, **chosen: str) -> None:
        """Store what was chosen now, and leave the rest."""
        cls.objects.update_or_create(owner=owner, defaults=chosen)
