"""Who looked at whose data, to read."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from chat.admin.shown import LogAdmin
from chat.models import StaffAccess


@admin.register(StaffAccess)
class StaffAccessAdmin(LogAdmin):
    list_display = ("when", "reader_name", "owner", "what_shown", "about")
    list_filter = ("what", "at")
    list_select_related = ("owner",)
    search_fields = ("reader_name", "owner__username", "object_id")
    fields = ("when", "reader_name", "owner", "what_shown", "about", "object_id")

    @admin.display(description=_("when"), ordering="at")
    def when(self, access: StaffAccess) -> str:
        return f"{access.at:%Y-%m-%d %H:%M:%S}"

    @admin.display(description=_("what"), ordering="what")
    def what_shown(self, access: StaffAccess) -> str:
        return access.get_what_display()
