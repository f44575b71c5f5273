"""Light, dark or as the system: a cookie, so that a page is printed with it.

It is kept for the person too, and set in each browser that they sign in with.
"""

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse

from chat.models import Preferences

THEMES = {"light", "dark"}
COOKIE_SECONDS = 365 * 24 * 3600


def theme_of(request: HttpRequest) -> str:
    """light, dark, or empty: as the system is."""
    theme = request.COOKIES.get("theme", "")
    return theme if theme in THEMES else ""


def remember(response: HttpResponse, theme: str) -> None:
    if theme in THEMES:
        response.set_cookie("theme", theme, max_age=COOKIE_SECONDS, samesite="Lax")
    else:
        response.delete_cookie("theme", samesite="Lax")


class SignIn(LoginView):
    """Django's, and the person's theme comes along."""

    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        if theme := Preferences.of(self.request.user).theme:
            remember(response, theme)
        return response
