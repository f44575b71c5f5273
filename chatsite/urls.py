"""All addresses of the site."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path

from chat.admin.addresses import forgiving
from chat.admin.figures.pages import health, usage
from chat.admin.model_checks import model_checks
from chat.views.sign_in import sign_in

# One way in: with its limits and its second factor.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.admin_view = forgiving(admin.site.admin_view)  # type: ignore[method-assign]

urlpatterns = [
    path("admin/model-checks/", admin.site.admin_view(model_checks), name="model_checks"),
    path("admin/health/", admin.site.admin_view(health), name="tool_health"),
    path("admin/usage/", admin.site.admin_view(usage), name="usage"),
    path("admin/", admin.site.urls),
    path("accounts/login/", sign_in, name="login"),
    path("accounts/logout/", LogoutView.as_view(), name="logout"),
    path("accounts/", include("chat.accounts.urls")),
    path("", include("chat.urls")),
]

handler400 = "chat.views.errors.bad_request"
handler404 = "chat.views.errors.page_not_found"
handler429 = "chat.views.errors.too_many_requests"
handler500 = "chat.views.errors.server_error"
