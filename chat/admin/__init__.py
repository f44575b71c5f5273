"""The Django admin: logs to read, servers and tokens to manage."""

from django.conf import settings
from django.contrib import admin
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from chat.admin import (
    access,
    authorisations,
    conversations,
    invitations,
    ledger,
    people,
    policy,
    quotas,
    runs,
    second_factors,
    servers,
    staff_access,
    tool_runs,
    tools,
)

__all__ = [
    "access",
    "authorisations",
    "conversations",
    "invitations",
    "ledger",
    "people",
    "policy",
    "quotas",
    "runs",
    "second_factors",
    "servers",
    "staff_access",
    "tool_runs",
    "tools",
]

admin.site.site_header = format_lazy("{} · {}", settings.SITE_NAME, _("logs"))
admin.site.site_title = settings.SITE_NAME
admin.site.index_title = _("Logs and settings")
