"""Settings of the site itself: its name, its keys, where it is reached."""

from django.core.exceptions import ImproperlyConfigured

from chatsite.env import env, switch, whole

SITE_NAME = env.str("SITE_NAME", default="") or "Ferryline"
DEBUG = switch("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="debug-only" if DEBUG else "")
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set. `make run` writes one into .env; elsewhere set it to a long "
        "random text, and keep it."
    )
# Keys of before: what was signed with them is still believed.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
if any("/" in host for host in ALLOWED_HOSTS):
    raise ImproperlyConfigured(
        "ALLOWED_HOSTS are names without https:// and paths, as in ALLOWED_HOSTS=chat.example.org."
    )
if "*" in ALLOWED_HOSTS and not DEBUG:
    raise ImproperlyConfigured(
        "ALLOWED_HOSTS is '*', which lets anybody forge links to this site. "
        "Name your hosts, as in ALLOWED_HOSTS=chat.example.org."
    )
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
HOST = env.str("HOST", default="") or "127.0.0.1"
PORT = whole("PORT", 8000, zero=True)
# Set behind a proxy that speaks HTTPS to the world and tells us so.
HTTPS = switch("HTTPS", default=False)
ADMIN_USERNAME = env.str("ADMIN_USERNAME", default="") or "admin"
ADMIN_PASSWORD = env.str("ADMIN_PASSWORD", default="")
