"""The Django admin: logs to read, servers and tokens to manage."""

from django.conf import settings
from django.contrib import admin

from chat.admin import access, authorisations, conversations, runs, servers, tool_runs, tools

__all__ = ["access", "authorisations", "conversations", "runs", "servers", "tool_runs", "tools"]

admin.site.site_header = f"{settings.SITE_NAME} · logs"
admin.site.site_title = settings.SITE_NAME
admin.site.index_title = "Logs and settings"
