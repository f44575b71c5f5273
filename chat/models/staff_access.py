"""Who of the staff has opened what belongs to somebody else. Its owner can read all of it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

NOTED_FOR = timedelta(hours=1)


class StaffAccess(models.Model):
    """One look at somebody's data: never changed, and gone only with the person's account."""

    class What(models.TextChoices):
        CONVERSATION = "conversation", _("Read a chat")
        RUN = "run", _("Read an answer's events")
        REPLAY = "replay", _("Played an answer again")
        TOOL_RUN = "tool_run", _("Read a tool call")
        ARGUMENTS = "arguments", _("Downloaded a tool call's arguments")
        RESULT = "result", _("Downloaded a tool call's result")
        FILE = "file", _("Opened a file")
        EXPORT = "export", _("Exported tool calls")
        TOKEN = "token", _("Made an API token")

    reader = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("reader"),
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
    )
    # Kept as text too: it outlives the reader's account.
    reader_name = models.CharField(_("reader"), max_length=150)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("owner"),
        on_delete=models.CASCADE,
        related_name="staff_accesses",
    )
    what = models.CharField(_("what"), max_length=12, choices=What.choices)
    # Its name at that time: a title, a tool; of an export, how many calls.
    about = models.CharField(_("about"), max_length=200, blank=True)
    object_id = models.CharField(max_length=36, blank=True)
    at = models.DateTimeField(_("when"), auto_now_add=True)

    class Meta:
        ordering = ["-at", "-pk"]
        verbose_name = _("look at somebody's data")
        verbose_name_plural = _("looks at people's data")
        indexes = [models.Index(fields=["owner", "-at"], name="staffaccess_owner_recent")]

    def __str__(self) -> str:
        return f"{self.reader_name}: {self.get_what_display()}"

    @classmethod
    def note(
        cls, reader: Any, owner_id: int, what: "StaffAccess.What", about: object, pk: object
    ) -> None:
        """Put a look on record, unless it is at what is one's own. Before anything is shown."""
        if reader.pk != owner_id:
            cls.objects.create(
                **_by(reader),
                owner_id=owner_id,
                what=what,
                about=str(about)[:200],
                object_id=str(pk),
            )

    @classmethod
    def was_noted(cls, reader: Any, what: "StaffAccess.What", pk: object) -> bool:
        """Within the last hour: one look may take several requests."""
        since = timezone.now() - NOTED_FOR
        noted = cls.objects.filter(reader=reader.pk, what=what, object_id=str(pk), at__gte=since)
        return noted.exists()

    @classmethod
    def note_export(cls, reader: Any, counts: Mapping[int, int]) -> None:
        """`counts`: how many tool calls of each person, by the person's key, go into a file.

        Within a transaction. Whoever was erased meanwhile is left out, and so is their row.
        """
        people = get_user_model().objects.select_for_update()
        left = set(people.filter(pk__in=[*counts, reader.pk]).values_list("pk", flat=True))
        by = _by(reader) | {"reader_id": reader.pk if reader.pk in left else None}
        StaffAccess.objects.bulk_create(
            StaffAccess(**by, owner_id=owner_id, what=cls.What.EXPORT, about=str(count))
            for owner_id, count in counts.items()
            if owner_id != reader.pk and owner_id in left
        )


def _by(reader: Any) -> dict[str, Any]:
    return {"reader_id": reader.pk, "reader_name": reader.get_username()[:150]}
