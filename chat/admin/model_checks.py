"""Whether a configured model answers: asked by an admin, shown at once, kept nowhere.

For those who may check a server of tools: they look after what this site asks of others.
"""

from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from chat.forms import no_such_model
from chat.providers.check import Findings
from chat.runs.model_api import CHECK_SECONDS, check_model


@require_http_methods(["GET", "HEAD", "POST"])
def model_checks(request: HttpRequest) -> HttpResponse:
    """The models with a button each; a POST asks one and ends within about CHECK_SECONDS.

    Only the thread of this request waits: the model is asked on the event loop.
    """
    if not request.user.has_perm("chat.change_mcpserver"):
        raise PermissionDenied
    name = request.POST.get("model_name", "")
    if request.method != "POST":
        return _show(request)
    if name not in settings.LLM_MODELS:
        return _show(request, Findings(failure=no_such_model()), status=400)
    return _show(request, async_to_sync(check_model)(name), checked=name)


def _show(
    request: HttpRequest, found: Findings | None = None, *, checked: str = "", status: int = 200
) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": gettext("Check the models"),
        "model_names": settings.LLM_MODELS,
        "default_name": settings.LLM_MODEL,
        "base_url": settings.LLM_BASE_URL,
        "seconds": CHECK_SECONDS,
        "checked": checked,
        "found": found,
    }
    return render(request, "admin/model_checks.html", context, status=status)
