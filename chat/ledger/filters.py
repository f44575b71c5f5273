"""What somebody wants to see of the ledger: the one way in for pages, exports and the command."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib.auth import get_user_model
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from chat.excerpts import MAX_QUERY_CHARACTERS
from chat.models import SLOW_MS, Approval, MCPServer, ToolRunState

AGE = re.compile(r"([0-9]{1,5})([hdw])")
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
NOT_ASKED = "none"
ANY = ("", _("any"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Filters:
    """All that are given have to hold. `since` and `until` (exclusive) are moments."""

    q: str = ""
    outcome: str = ""
    tool: str = ""
    server: UUID | None = None
    person: int | None = None
    conversation: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    over_ms: int | None = None
    approval: str = ""


class Moment(forms.CharField):
    """A day, a moment, or an age such as 7d. `is_end`: a day means its end. Days are UTC's."""

    def __init__(self, *, is_end: bool = False, **options: Any) -> None:
        super().__init__(**options, widget=forms.DateInput(attrs={"type": "date"}))
        self.is_end = is_end

    def clean(self, value: Any) -> datetime | None:
        text = super().clean(value)
        if not text:
            return None
        if parts := AGE.fullmatch(text):
            return timezone.now() - int(parts[1]) * UNITS[parts[2]]
        try:
            moment = datetime.fromisoformat(text)
            if len(text) == len("2026-01-31"):
                day = moment.date() + timedelta(days=self.is_end)
                moment = datetime.combine(day, time.min)
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError) as error:
            message = _("A day as in 2026-01-31, or an age as in 12h, 7d or 4w.")
            raise forms.ValidationError(message) from error


class FilterForm(forms.Form):
    """The filters as texts: fields of the list's address, and options of the command."""

    q = forms.CharField(required=False, max_length=MAX_QUERY_CHARACTERS, label=_("Search"))
    outcome = forms.ChoiceField(
        required=False, label=_("Outcome"), choices=[ANY, *ToolRunState.choices]
    )
    tool = forms.CharField(
        required=False, label=_("Tool"), widget=forms.TextInput(attrs={"list": "tools"})
    )
    server = forms.ModelChoiceField(
        MCPServer.objects.all(),
        required=False,
        label=_("Server"),
        to_field_name="slug",
        empty_label=ANY[1],
    )
    person = forms.CharField(required=False, label=_("Person"), max_length=150)
    conversation = forms.CharField(required=False, label=_("Conversation"), max_length=500)
    since = Moment(required=False, label=_("From"))
    until = Moment(required=False, label=_("Until"), is_end=True)
    over_ms = forms.TypedChoiceField(
        required=False,
        label=_("Duration"),
        coerce=int,
        empty_value=None,
        choices=[
            ANY,
            (SLOW_MS, _("over 1 s")),
            (10_000, _("over 10 s")),
            (60_000, _("over 1 min")),
        ],
    )
    approval = forms.ChoiceField(
        required=False,
        label=_("Approval"),
        choices=[ANY, *Approval.State.choices, (NOT_ASKED, _("not asked for"))],
    )

    def clean_person(self) -> int | None:
        name = self.cleaned_data["person"]
        if not name:
            return None
        found = get_user_model().objects.filter(username=name).values_list("pk", flat=True).first()
        if found is None:
            raise forms.ValidationError(_("There is nobody of this name."))
        return int(found)

    def clean_conversation(self) -> UUID | None:
        text = self.cleaned_data["conversation"]
        if not text:
            return None
        found = ID.search(text)
        if found is None:
            raise forms.ValidationError(_("The address of a chat, or the id in it."))
        return UUID(found[0])

    def clean_server(self) -> UUID | None:
        server: MCPServer | None = self.cleaned_data["server"]
        return server.pk if server else None

    @property
    def filters(self) -> Filters:
        """Of a valid form."""
        return Filters(**self.cleaned_data)

    @property
    def address(self) -> str:
        """What was filled in, as in an address."""
        return urlencode([(name, value) for name in self.fields if (value := self.data.get(name))])


def read(data: Mapping[str, Any]) -> FilterForm:
    """Of the parameters of an address or the options of a command; others are passed over."""
    return FilterForm({name: data.get(name) or "" for name in FilterForm.base_fields})
