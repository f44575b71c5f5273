"""Settings, from the environment and `.env` beside manage.py; see env.py.

Those of the site, of signing in, of storage and of what browsers refuse have a file each beside
this one. `.env.example` explains every variable. Nonsense fails here, at start, with a sentence.
"""

import os
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from chat.errors import ConfigurationError
from chat.mcp.config import ServerConfig
from chat.mcp.config_file.read import read_config
from chatsite import logs, refusals
from chatsite.env import BASE_DIR, env, key, positive, redaction, switch, web_address, whole
from chatsite.settings_security import *
from chatsite.settings_sign_in import *
from chatsite.settings_site import *
from chatsite.settings_storage import *

# -- the model --------------------------------------------------------------------------
OPENROUTER_API_KEY = key("OPENROUTER_API_KEY")
LLM_BASE_URL = web_address("LLM_BASE_URL") or (
    "https://openrouter.ai/api/v1" if OPENROUTER_API_KEY else ""
)
LLM_API_KEY = key("LLM_API_KEY") or OPENROUTER_API_KEY
LLM_PROVIDER = "openai" if LLM_BASE_URL else "demo"
LLM_MODEL = env.str("LLM_MODEL", default="").strip() or (
    "openai/gpt-5-mini" if OPENROUTER_API_KEY else "demo"
)
LLM_MODELS = env.list("LLM_MODELS", default=[])
if LLM_MODEL not in LLM_MODELS:
    LLM_MODELS.insert(0, LLM_MODEL)
if any(len(name) > 200 for name in LLM_MODELS):
    raise ImproperlyConfigured("A name in LLM_MODEL or LLM_MODELS is longer than 200 characters.")
LLM_CONNECT_TIMEOUT_SECONDS = positive("LLM_CONNECT_TIMEOUT_SECONDS", 10)
LLM_FIRST_TOKEN_TIMEOUT_SECONDS = positive("LLM_FIRST_TOKEN_TIMEOUT_SECONDS", 90)
LLM_IDLE_TIMEOUT_SECONDS = positive("LLM_IDLE_TIMEOUT_SECONDS", 60)
LLM_TOTAL_TIMEOUT_SECONDS = positive("LLM_TOTAL_TIMEOUT_SECONDS", 900)
LLM_CONTEXT_TOKENS = whole("LLM_CONTEXT_TOKENS", 0, zero=True)
TITLE_BY_MODEL = switch("TITLE_BY_MODEL", default=True)

# -- tools ------------------------------------------------------------------------------
MCP_SERVER_URL = web_address("MCP_SERVER_URL")
MCP_API_KEY = key("MCP_API_KEY")
# Whether servers that admins add may be in private networks, or on this machine.
MCP_ALLOW_PRIVATE_NETWORKS = switch("MCP_ALLOW_PRIVATE_NETWORKS", default=DEBUG)
# Encrypts the tokens of MCP servers in the database.
MCP_TOKEN_KEY = env.str("MCP_TOKEN_KEY", default="").strip() or SECRET_KEY
if MCP_TOKEN_KEY != SECRET_KEY and len(MCP_TOKEN_KEY) < 32:
    raise ImproperlyConfigured(
        "MCP_TOKEN_KEY is too short: it must be a random text of 32 characters or more."
    )
DEMO_MCP_SERVER = switch("DEMO_MCP_SERVER", default=True)
# Set by `manage.py serve`, which starts the demo server on a free port.
DEMO_MCP_URL = web_address("DEMO_MCP_URL")
MAX_TOOL_ITERATIONS = whole("MAX_TOOL_ITERATIONS", 10)
TOOL_TIMEOUT_SECONDS = positive("TOOL_TIMEOUT_SECONDS", 60)
TOOL_TOTAL_TIMEOUT_SECONDS = positive("TOOL_TOTAL_TIMEOUT_SECONDS", 600)
INPUT_TIMEOUT_SECONDS = positive("INPUT_TIMEOUT_SECONDS", 600, most=3_000_000_000)
APPROVAL_TIMEOUT_HOURS = positive("APPROVAL_TIMEOUT_HOURS", 24, most=800_000)
MCP_ACCEPT_CHANGED_READ_ONLY = switch("MCP_ACCEPT_CHANGED_READ_ONLY", default=False)
# What `${NAME}` in the configuration of a server may stand for. Never what is ours.
OWN_SECRETS = {
    *("SECRET_KEY", "SECRET_KEY_FALLBACKS", "DATABASE_URL", "REDIS_URL", "ADMIN_PASSWORD"),
    *("OPENROUTER_API_KEY", "LLM_API_KEY", "MCP_API_KEY", "MCP_TOKEN_KEY"),
    *("METRICS_TOKEN", "EMAIL_URL", "OIDC_CLIENT_SECRET", "SENTRY_DSN"),
}
MCP_SECRETS = {name: value for name, value in os.environ.items() if name not in OWN_SECRETS}
MCP_CONFIG = env.str("MCP_CONFIG", default="").strip()
MCP_CONFIG_SERVERS: tuple[ServerConfig, ...] = ()
if MCP_CONFIG:
    try:
        MCP_CONFIG_SERVERS = tuple(
            read_config(
                BASE_DIR / MCP_CONFIG,
                MCP_SECRETS,
                call_timeout_seconds=TOOL_TIMEOUT_SECONDS,
                call_total_seconds=TOOL_TOTAL_TIMEOUT_SECONDS,
            )
        )
    except ConfigurationError as error:
        raise ImproperlyConfigured(f"MCP_CONFIG cannot be used.\n{error}") from error

# -- runs -------------------------------------------------------------------------------
RUN_RECOVERY = (env.str("RUN_RECOVERY", default="") or "continue").lower()
if RUN_RECOVERY not in {"continue", "interrupt"}:
    raise ImproperlyConfigured(
        "RUN_RECOVERY must be continue (go on where a crash cut an answer) or interrupt (end it)."
    )
# For Prometheus; without it there is no /metrics.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="").strip()
if METRICS_TOKEN and len(METRICS_TOKEN) < 16:
    raise ImproperlyConfigured(
        "METRICS_TOKEN is too short: it must be a random text of 16 characters or more."
    )
DRAIN_SECONDS = positive("DRAIN_SECONDS", 20, zero=True)

# -- retention --------------------------------------------------------------------------
# In days; 0: for ever.
RETENTION_EVENTS_DAYS = positive("RETENTION_EVENTS_DAYS", 0, zero=True, most=36_500)
RETENTION_RESULTS_DAYS = positive("RETENTION_RESULTS_DAYS", 0, zero=True, most=36_500)
RETENTION_CONVERSATIONS_DAYS = positive("RETENTION_CONVERSATIONS_DAYS", 0, zero=True, most=36_500)

# -- redaction --------------------------------------------------------------------------
# `token` alone is not among them: page after page is fetched by one.
REDACT_KEYS = (
    env.str("REDACT_KEYS", default="").strip()
    or "password,passwd,secret,client_secret,api_key,apikey,access_token,refresh_token,"
    "authorization,private_key"
)


REDACTION = redaction(REDACT_KEYS, env.str("REDACT_PATTERNS", default=""))

# -- limits -----------------------------------------------------------------------------
MAX_ACTIVE_RUNS_PER_USER = whole("MAX_ACTIVE_RUNS_PER_USER", 8)
MAX_RUN_STARTS_PER_MINUTE = whole("MAX_RUN_STARTS_PER_MINUTE", 60, zero=True)
MAX_MESSAGE_CHARACTERS = whole("MAX_MESSAGE_CHARACTERS", 100_000)
# UTF-8 needs at most four bytes a character, a JSON or form escape at most twelve.
DATA_UPLOAD_MAX_MEMORY_SIZE = 12 * MAX_MESSAGE_CHARACTERS + 65_536
# The file of a conversation; and the largest body that is taken at all, with a form around it.
MAX_IMPORT_BYTES = 10 << 20
MAX_BODY_BYTES = max(MAX_IMPORT_BYTES, DATA_UPLOAD_MAX_MEMORY_SIZE) + (1 << 20)

# -- Django -----------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "chat",
]
MIDDLEWARE = [
    "chatsite.middleware.SecurityMiddleware",
    "chatsite.middleware.CSPMiddleware",
    "chatsite.middleware.NotKeptMiddleware",
    "chatsite.middleware.SessionMiddleware",
    "chatsite.middleware.LanguageMiddleware",
    "chatsite.middleware.CommonMiddleware",
    "chat.views.access.TokenMiddleware",
    "chatsite.middleware.CsrfViewMiddleware",
    "chatsite.middleware.AuthenticationMiddleware",
    "chatsite.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "chatsite.middleware.XFrameOptionsMiddleware",
]
# These checks look for Django's own names of the three; ours are the same middleware.
SILENCED_SYSTEM_CHECKS = ["security.W001", "security.W002", "security.W003"]
CSRF_FAILURE_VIEW = "chat.views.access.csrf_failure"
ROOT_URLCONF = "chatsite.urls"
ASGI_APPLICATION = "chatsite.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            # Almost every template says something.
            "builtins": ["django.templatetags.i18n"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "chat.views.pages.site",
            ],
        },
    }
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"
STATIC_URL = "/static/"
STATIC_ROOT = Path(env.str("STATIC_DIR", default="") or BASE_DIR / "staticfiles")
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "chatsite.static_files.Storage"},
}
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = "chatsite.formats"
LANGUAGE_COOKIE_NAME = "language"
TIME_ZONE = "UTC"
USE_TZ = True

# -- operations -------------------------------------------------------------------------
# Of all that serve this site; what uvicorn starts by itself is seen without it.
PROCESSES = max(whole("PROCESSES", 1), refusals.processes_here(sys.argv, os.environ))
PROBLEMS = [refusals.lonely(PROCESSES, REDIS_URL)]
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    PROBLEMS += [refusals.far_away(Path(DATABASES["default"]["NAME"]), refusals.mounts())]
# On one's own machine, without a proxy, it is oneself who may write there.
if HTTPS and any(server.command for server in MCP_CONFIG_SERVERS):
    PROBLEMS += [refusals.writable_programs(BASE_DIR / MCP_CONFIG)]
for problem in filter(None, PROBLEMS):
    raise ImproperlyConfigured(problem)

# Where to, if anywhere; see chatsite/telemetry.py.
SENTRY_DSN = web_address("SENTRY_DSN")
OTEL_EXPORTER_OTLP_ENDPOINT = web_address("OTEL_EXPORTER_OTLP_ENDPOINT")
LOG_FORMAT = (env.str("LOG_FORMAT", default="") or ("json" if HTTPS else "text")).lower()
if LOG_FORMAT not in {"json", "text"}:
    raise ImproperlyConfigured(f"LOG_FORMAT must be json or text; it is {LOG_FORMAT!r}.")
NEVER_LOGGED = [
    *(SECRET_KEY, *SECRET_KEY_FALLBACKS, ADMIN_PASSWORD, LLM_API_KEY, MCP_API_KEY),
    *(MCP_TOKEN_KEY, METRICS_TOKEN, SENTRY_DSN, DATABASES["default"].get("PASSWORD") or ""),
    *(
        OIDC_CLIENT_SECRET,
        urlsplit(SENTRY_DSN).username or "",
        unquote(urlsplit(REDIS_URL).password or ""),
        vars().get("EMAIL_HOST_PASSWORD") or "",
    ),
]
LOGGING = logs.configuration(LOG_FORMAT, NEVER_LOGGED)
