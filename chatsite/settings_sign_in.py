"""Settings of signing in: allauth's, and what mail and single sign-on need."""

from django.core.exceptions import ImproperlyConfigured

from chatsite.env import address, env, switch, web_address, whole
from chatsite.settings_site import HTTPS, SITE_NAME

# Without it, new people need an admin's invitation.
ALLOW_SIGNUP = switch("ALLOW_SIGNUP", default=False)
# How many proxies of ours add to X-Forwarded-For. What came before them is anybody's claim.
TRUSTED_PROXIES = whole("TRUSTED_PROXIES", 1 if HTTPS else 0, zero=True)
# Without it nothing is sent: admins set passwords, and give out links themselves.
EMAIL_URL = address("EMAIL_URL")
vars().update(env.email_url_config(EMAIL_URL or "dummymail://"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="").strip() or "Ferryline <ferryline@localhost>"
PASSWORD_RESET_TIMEOUT = 3600
ACCOUNT_ADAPTER = "chat.accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if HTTPS else "http"
# Wrong ones, of an address and of an account; and all of an address, an office's morning.
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,10/m/key", "login": "120/m/ip"}
MFA_ADAPTER = "chat.accounts.second_factor.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_TOTP_ISSUER = SITE_NAME
# A clock may be half a minute wrong.
MFA_TOTP_TOLERANCE = 1
MFA_PASSKEY_LOGIN_ENABLED = True
# Browsers themselves have passkeys without HTTPS on this very machine alone.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not HTTPS
# Single sign-on by a provider of OpenID Connect.
OIDC_NAME = env.str("OIDC_NAME", default="").strip() or "Single sign-on"
OIDC_SERVER_URL = web_address("OIDC_SERVER_URL")
OIDC_CLIENT_ID = env.str("OIDC_CLIENT_ID", default="").strip()
OIDC_CLIENT_SECRET = env.str("OIDC_CLIENT_SECRET", default="").strip()
OIDC_ALLOW_SIGNUP = switch("OIDC_ALLOW_SIGNUP", default=False)
if OIDC_SERVER_URL and not (OIDC_CLIENT_ID and OIDC_CLIENT_SECRET):
    raise ImproperlyConfigured(
        "OIDC_SERVER_URL needs OIDC_CLIENT_ID and OIDC_CLIENT_SECRET: the provider gives them to "
        "you when you register this site with it."
    )
SOCIALACCOUNT_ADAPTER = "chat.accounts.sso.SingleSignOn"
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "oidc",
                "name": OIDC_NAME,
                "client_id": OIDC_CLIENT_ID,
                "secret": OIDC_CLIENT_SECRET,
                "settings": {"server_url": OIDC_SERVER_URL},
            }
        ],
    }
}
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
# A form may lead to nobody else (form-action), so a link does. It only ever signs in.
SOCIALACCOUNT_LOGIN_ON_GET = True
