"""What of allauth's pages there is. Their names are allauth's, which looks for them."""

from allauth.account import views as account
from django.urls import include, path, re_path

from chat.accounts import factors, sso
from chat.views.sign_in import forgotten_password, new_password, sign_in, sign_up

# There is one provider; allauth could have many.
OIDC = {"provider_id": "oidc"}

urlpatterns = [
    path("oidc/", sso.login, OIDC, name="openid_connect_login"),
    path("oidc/callback/", sso.callback, OIDC, name="openid_connect_callback"),
    # Before allauth's own.
    path("2fa/totp/activate/", factors.activate_totp, name="mfa_activate_totp"),
    path("2fa/", include("allauth.mfa.urls")),
    path("login/", sign_in, name="account_login"),
    path("signup/", sign_up, name="account_signup"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("password/reset/", forgotten_password, name="account_reset_password"),
    path("password/reset/done/", account.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        new_password,
        name="account_reset_password_from_key",
    ),
    path(
        "password/reset/key/done/",
        account.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
]
