"""Addresses of the admin, which people change by hand, or keep for years."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.db import DataError
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.template.response import SimpleTemplateResponse
from django.utils.translation import gettext as _

logger = logging.getLogger(__name__)

View = Callable[..., HttpResponseBase]


def forgiving(admin_view: Callable[..., Any]) -> Any:
    """The site's `admin_view`, for which an address that asks for what cannot be leads to its page.

    Django's own does so for some filters. For a person `abc`, or one whose number is larger than
    the database's numbers, it fails.
    """

    def admit(view: View, cacheable: bool = False) -> View:
        return admin_view(_forgiving(view), cacheable)

    return admit


def _forgiving(view: View) -> View:
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = view(request, *args, **kwargs)
            if isinstance(response, SimpleTemplateResponse):
                # A part of the address is looked at only here.
                response.render()
            return response
        except (ValueError, OverflowError, DataError):
            if request.method != "GET" or not request.GET:
                raise
            logger.warning("An address asks for what cannot be", exc_info=True)
            messages.warning(request, _("The address asked for something that cannot be."))
            return HttpResponseRedirect(request.path)

    return answer
