"""Accounts. Deleting one goes the way that people delete their own."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from chat.models import AccountClosing
from chat.models.closings import stop_answers

User: Any = get_user_model()
admin.site.unregister(User)

CLOSED = _("The account is closed; it and all of its data are erased within a minute.")
LAST = _("The last admin stays: make somebody else one first.")


@admin.register(User)
class PersonAdmin(UserAdmin):
    """The usual one, but for its end."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Their logs go with them, which nobody may delete otherwise; signed for in the chain."""
        people = list(objs)
        counts = {User._meta.verbose_name_plural: len(people)}
        return [str(person) for person in people], counts, set(), []

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not obj.is_active:
            # Who is locked out calls no more tools.
            stop_answers(obj.pk)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        others = User.objects.filter(is_superuser=True, is_active=True)
        is_last = obj is not None and not others.exclude(pk=obj.pk).exists()
        return super().has_delete_permission(request, obj) and not is_last

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        is_closed = AccountClosing.close(obj)
        (messages.warning if is_closed else messages.error)(request, CLOSED if is_closed else LAST)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for person in queryset:
            self.delete_model(request, person)
