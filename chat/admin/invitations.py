"""Invitations: admins make them and give the link to whom they invite, or have it sent."""

from typing import Any

from allauth.account.models import EmailAddress
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chat.accounts.mail import can_send, send
from chat.models import Invitation

# An address is a field of its user here.
admin.site.unregister(EmailAddress)


@admin.register(Invitation)
class InvitationAdmin(admin.ModelAdmin):
    list_display = ("__str__", "state", "invited_by", "created_at", "expires_at", "used_by")
    list_select_related = ("invited_by", "used_by")
    fields = ("email", "expires_at")
    ordering = ("-created_at",)
    # One field with one label, unlike the admin's two.
    formfield_overrides = {
        models.DateTimeField: {
            "form_class": forms.DateTimeField,
            "widget": forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        }
    }

    def get_fields(self, request: HttpRequest, obj: Invitation | None = None) -> Any:
        return (*self.fields, "link", "invited_by", "used_at", "used_by") if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Invitation | None = None) -> Any:
        return ("email", "link", "invited_by", "used_at", "used_by") if obj else ()

    @admin.display(description=_("state"))
    def state(self, invitation: Invitation) -> str:
        if invitation.is_open:
            return gettext("open")
        return gettext("used") if invitation.used_at else gettext("expired")

    @admin.display(description=_("link"))
    def link(self, invitation: Invitation) -> str:
        if not invitation.is_open:
            return "–"
        return format_html('<a href="{0}">{0}</a>', getattr(invitation, "shown_link", ""))

    def get_object(self, request: HttpRequest, *args: Any) -> Invitation | None:
        """With the whole link, as one copies it into a mail."""
        found = super().get_object(request, *args)
        if found:
            found.shown_link = request.build_absolute_uri(path_of(found))
        return found

    def save_model(self, request: HttpRequest, obj: Invitation, form: Any, change: bool) -> None:
        if not change:
            obj.invited_by_id = request.user.pk
        super().save_model(request, obj, form, change)
        link = request.build_absolute_uri(path_of(obj))
        if not change and obj.email and can_send():
            if mail(obj, link):
                messages.success(request, gettext("The invitation is sent to %s.") % obj.email)
            else:
                messages.error(request, gettext("The mail server did not take the invitation."))
        messages.info(request, gettext("Whoever has this link may sign up, once: %s") % link)


def path_of(invitation: Invitation) -> str:
    return f"{reverse('account_signup')}?invitation={invitation.text}"


def mail(invitation: Invitation, link: str) -> bool:
    until = date_format(invitation.expires_at, "DATE_FORMAT")
    return send(
        invitation.email,
        gettext("An invitation to {site}").format(site=settings.SITE_NAME),
        gettext("You are invited to {site}. This link is for you alone, until {until}:").format(
            site=settings.SITE_NAME, until=until
        ),
        link,
    )
