"""What this product says where allauth asks: who may sign up, and which address counts."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.core.internal.httpkit import clean_client_ip
from django.conf import settings
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext

from chat.accounts.mail import send_beside
from chat.accounts.passwords import store_password
from chat.models import Invitation, Preferences
from chat.views.theme import remember, remember_language

# Where nothing is known of the connection, as behind a Unix socket: all of those are one.
UNKNOWN = "0.0.0.0"  # noqa: S104 (an address to count by, not one to listen on)


def invitation_of(request: HttpRequest) -> Invitation | None:
    """That of the link which led here, if it still holds."""
    return Invitation.by_text(request.GET.get("invitation", ""))


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(settings.ALLOW_SIGNUP) or invitation_of(request) is not None

    def is_safe_url(self, url: str) -> bool:
        """Raises nothing: there are addresses that cannot even be read."""
        try:
            return bool(super().is_safe_url(url))
        except ValueError:
            return False

    def save_user(self, request: HttpRequest, user: Any, form: Any, commit: bool = True) -> Any:
        """The account and the end of its invitation: both or neither."""
        # First, and outside: hashing the password takes long, and nobody else could write.
        saved = super().save_user(request, user, form, commit=False)
        if not commit:
            return saved
        invitation = invitation_of(request)
        needs_one = form is not None and not settings.ALLOW_SIGNUP
        try:
            with transaction.atomic():
                saved.save()
                if not (invitation.take(saved) if invitation else not needs_one):
                    # Somebody else was faster. Now there is none, and the page says so.
                    raise ImmediateHttpResponse(redirect(request.get_full_path()))
        except IntegrityError:
            # The same form, sent twice: the account is there.
            raise ImmediateHttpResponse(redirect("login")) from None
        return saved

    def set_password(self, user: Any, password: str) -> None:
        user.set_password(password)
        store_password(user)

    def send_password_reset_mail(self, user: Any, email: str, context: dict[str, Any]) -> None:
        values = {"site": settings.SITE_NAME, "username": user.get_username()}
        send_beside(
            email,
            gettext("A new password for {site}").format(**values),
            gettext(
                "Somebody, probably you, has asked for a new password for {username} at {site}. "
                "This link is for an hour, and works once:"
            ).format(**values),
            context["password_reset_url"],
            gettext("If it was not you, there is nothing to do: your password stays as it is."),
        )

    def get_client_ip(self, request: HttpRequest) -> str:
        """What the outermost proxy of ours has seen; whatever comes before that is a claim."""
        proxies = settings.TRUSTED_PROXIES
        seen = request.headers.get("X-Forwarded-For", "").split(",")
        if proxies and len(seen) >= proxies and (address := clean_client_ip(seen[-proxies])):
            return address
        return clean_client_ip(request.META.get("REMOTE_ADDR") or "") or UNKNOWN

    def post_login(self, request: HttpRequest, user: Any, **options: Any) -> HttpResponse:
        """The person's theme and language come along, whichever way they came in."""
        response: HttpResponse = super().post_login(request, user, **options)
        chosen = Preferences.of(user)
        if chosen.theme:
            remember(response, chosen.theme)
        if chosen.language:
            remember_language(response, chosen.language)
        return response

    def add_message(self, request: HttpRequest, level: int, *args: Any, **options: Any) -> None:
        """Only what went wrong: pages of ours say what was done."""
        if level >= messages.WARNING:
            super().add_message(request, level, *args, **options)
