"""What people and programs see of a request that came to nothing."""

import sys

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import loader
from django.utils.translation import gettext

from chat.runs.pool import is_away
from chat.views.access import failure, is_api, not_found, storage_away
from chat.views.pages import site

RETRY_SECONDS = 10
LIMIT_SECONDS = 60


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What Django itself does not take; above all a name that is not one of this site's."""
    is_elsewhere = isinstance(exception, DisallowedHost)
    if is_elsewhere:
        text = gettext("This site is not known under that name. Admins add it to ALLOWED_HOSTS.")
    else:
        text = gettext("The request cannot be read. Nothing was changed.")
    if is_api(request):
        return failure(text, "BAD_REQUEST", status=400)
    return _page(request, "400.html", 400, text=text, is_elsewhere=is_elsewhere)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return not_found() if is_api(request) else render(request, "404.html", status=404)


def too_many_requests(request: HttpRequest) -> HttpResponse:
    response = render(request, "429.html", status=429)
    response.headers["Retry-After"] = str(LIMIT_SECONDS)
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """Called where the exception is handled. A database that is away is nobody's mistake."""
    if not is_away(sys.exc_info()[1]):
        return _page(request, "500.html", 500)
    if is_api(request):
        return storage_away(request)
    response = _page(request, "503.html", 503)
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


def _page(request: HttpRequest, template: str, status: int, **more: str | bool) -> HttpResponse:
    """Without the request: who is signed in is asked of the database."""
    text = loader.render_to_string(template, {**site(request), **more})
    response = HttpResponse(text, status=status)
    response.headers["Cache-Control"] = "no-store"
    return response
