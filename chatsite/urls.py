"""All addresses of the site."""

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path

from chat.admin.model_checks import model_checks
from chat.views.theme import SignIn

urlpatterns = [
    path("admin/model-checks/", admin.site.admin_view(model_checks), name="model_checks"),
    path("admin/", admin.site.urls),
    path("accounts/login/", SignIn.as_view(), name="login"),
    path("accounts/logout/", LogoutView.as_view(), name="logout"),
    path("", include("chat.urls")),
]

handler404 = "chat.views.access.page_not_found"
