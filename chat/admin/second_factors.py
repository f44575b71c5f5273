"""Other ways in: admins see who has which, and take away those that were lost."""

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib import admin
from django.http import HttpRequest

# The provider is a setting, and its tokens are not kept.
for model in (Authenticator, SocialAccount, SocialApp, SocialToken):
    admin.site.unregister(model)


class WayInAdmin(admin.ModelAdmin):
    list_select_related = ("user",)
    search_fields = ("user__username",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Authenticator)
class SecondFactorAdmin(WayInAdmin):
    list_display = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type",)
    # Not what is secret in them.
    fields = ("user", "type", "created_at", "last_used_at")


@admin.register(SocialAccount)
class SingleSignOnAdmin(WayInAdmin):
    list_display = ("user", "date_joined", "last_login")
    fields = ("user", "extra_data", "date_joined", "last_login")
