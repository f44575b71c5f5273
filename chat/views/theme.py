"""Theme and language: cookies, so that every page is printed with them, also that of signing in.

They are kept for the person too, and set in each browser that they sign in with.
"""

from collections.abc import Collection

from django.conf import settings
from django.http import HttpRequest, HttpResponse

THEMES = {"light", "dark"}
COOKIE_SECONDS = 365 * 24 * 3600


def theme_of(request: HttpRequest) -> str:
    """light, dark, or empty: as the system is."""
    theme = request.COOKIES.get("theme", "")
    return theme if theme in THEMES else ""


def remember(response: HttpResponse, theme: str) -> None:
    _remember(response, "theme", theme, THEMES)


def remember_language(response: HttpResponse, language: str) -> None:
    """What is no language of ours means: as the browser asks for it."""
    _remember(response, settings.LANGUAGE_COOKIE_NAME, language, dict(settings.LANGUAGES))


def _remember(response: HttpResponse, name: str, value: str, known: Collection[str]) -> None:
    if value in known:
        secure = settings.SESSION_COOKIE_SECURE
        response.set_cookie(name, value, max_age=COOKIE_SECONDS, secure=secure, samesite="Lax")
    else:
        response.delete_cookie(name, samesite="Lax")
