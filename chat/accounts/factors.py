"""What of allauth's pages for second factors is ours."""

from typing import Any

from allauth.mfa.totp import views
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect


def activate_totp(request: HttpRequest, *args: Any, **options: Any) -> HttpResponseBase:
    """As allauth's. Of two at once, as a double click sends them, the second finds it set up."""
    try:
        return views.activate_totp(request, *args, **options)
    except IntegrityError:
        return redirect("mfa_index")
