"""Signing in and up, and a new password: allauth's way, with our pages around it."""

from http import HTTPStatus
from typing import Any

from allauth.account.forms import LoginForm
from allauth.account.views import (
    LoginView,
    PasswordResetFromKeyView,
    PasswordResetView,
    SignupView,
)
from django.conf import settings
from django.contrib.auth.password_validation import password_validators_help_texts
from django.http import Http404, HttpRequest, HttpResponse

from chat.accounts.adapter import invitation_of
from chat.accounts.mail import can_send

RETRY_SECONDS = 60


class SignInForm(LoginForm):
    """Its field is called as it always was, for programs and password managers."""

    def add_prefix(self, field_name: str) -> str:
        return "username" if field_name == "login" else super().add_prefix(field_name)


class SignIn(LoginView):
    form_class = SignInForm
    extra_context = {
        "can_sign_up": settings.ALLOW_SIGNUP,
        "sso_name": settings.OIDC_NAME if settings.OIDC_SERVER_URL else "",
    }

    def form_invalid(self, form: SignInForm) -> HttpResponse:
        response: HttpResponse = super().form_invalid(form)
        if form.has_error("__all__", "too_many_login_attempts"):
            response.status_code = HTTPStatus.TOO_MANY_REQUESTS
            response.headers["Retry-After"] = str(RETRY_SECONDS)
        return response


class WithRules:
    """A page on which somebody makes up a password."""

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**more)  # type: ignore[misc]
        return context | {"password_rules": " ".join(password_validators_help_texts())}


class SignUp(WithRules, SignupView):
    def get_initial(self) -> dict[str, Any]:
        invitation = invitation_of(self.request)
        return {"email": invitation.email if invitation else ""}


class ForgottenPassword(PasswordResetView):
    def get_context_data(self, **more: Any) -> dict[str, Any]:
        return {**super().get_context_data(**more), "can_send": can_send()}

    def post(self, request: HttpRequest, *args: Any, **more: Any) -> HttpResponse:
        if not can_send():
            raise Http404
        response: HttpResponse = super().post(request, *args, **more)
        return response


class NewPassword(WithRules, PasswordResetFromKeyView):
    pass


sign_in = SignIn.as_view()
sign_up = SignUp.as_view()
forgotten_password = ForgottenPassword.as_view()
new_password = NewPassword.as_view()
