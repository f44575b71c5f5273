"""API tokens: shown once when they are made, never again."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chat.models import ApiToken, StaffAccess


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin):
    list_display = ("owner", "name", "created_at", "revoked_at")
    list_select_related = ("owner",)
    fields = ("owner", "name")
    actions = ("revoke",)

    def has_change_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        # The list needs the permission for its action; a token itself never changes.
        return obj is None and super().has_change_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        token, text = ApiToken.issue(obj.owner, obj.name)
        obj.pk = token.pk
        # Whoever has it reads all that its owner may.
        StaffAccess.note(request.user, obj.owner_id, StaffAccess.What.TOKEN, obj.name, token.pk)
        sentence = _("The token is %(token)s — copy it now, it is not shown again.")
        messages.warning(request, sentence % {"token": text})

    @admin.action(description=_("Revoke"))
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        count = queryset.filter(revoked_at=None).update(revoked_at=timezone.now())
        messages.success(request, _("Revoked: %(count)s.") % {"count": count})
