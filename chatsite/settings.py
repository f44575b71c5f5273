"""Settings. The only reader of the environment; `.env` beside manage.py is read too.

`.env.example` explains every variable. Nonsense fails here, at start, with a sentence.
"""

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from chat.errors import ConfigurationError
from chat.mcp.config import ServerConfig
from chat.mcp.config_file.read import read_config

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")


def positive(name: str, default: float, *, zero: bool = False) -> float:
    """A number above 0 (or at least 0), or a sentence that says what was found instead."""
    text = env.str(name, default="") or str(default)
    try:
        value = float(text)
    except ValueError:
        value = -1
    if value < 0 or (value == 0 and not zero) or value != value or value > 1e12:
        lowest = "0 or more" if zero else "above 0"
        raise ImproperlyConfigured(f"{name} must be a number {lowest}; it is {text!r}.")
    return value


def whole(name: str, default: int, *, zero: bool = False) -> int:
    value = positive(name, default, zero=zero)
    if value != int(value):
        raise ImproperlyConfigured(f"{name} must be a whole number; it is {value}.")
    return int(value)


def web_address(name: str) -> str:
    """An http(s) URL without its last slash, or "" where the variable is not set."""
    url = env.str(name, default="").strip().rstrip("/")
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        valid = False
    if url and not valid:
        raise ImproperlyConfigured(f"{name} must be an http:// or https:// address; it is {url!r}.")
    return url


def switch(name: str, *, default: bool) -> bool:
    text = env.str(name, default="").strip().lower() or str(default).lower()
    if text not in {"1", "0", "true", "false", "yes", "no", "on", "off"}:
        raise ImproperlyConfigured(f"{name} must be true or false; it is {text!r}.")
    return text in {"1", "true", "yes", "on"}


# -- the site ---------------------------------------------------------------------------
SITE_NAME = env.str("SITE_NAME", default="") or "Ferryline"
DEBUG = switch("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="debug-only" if DEBUG else "")
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set. `make run` writes one into .env; elsewhere set it to a long "
        "random text, and keep it."
    )
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
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

# -- storage ----------------------------------------------------------------------------
SQLITE_SYNCHRONOUS = (env.str("SQLITE_SYNCHRONOUS", default="") or "NORMAL").upper()
if SQLITE_SYNCHRONOUS not in {"NORMAL", "FULL"}:
    raise ImproperlyConfigured(
        "SQLITE_SYNCHRONOUS must be NORMAL (an answer survives kill -9) or FULL (and a power loss)."
    )
DATABASES = {
    "default": env.db_url_config(
        env.str("DATABASE_URL", default="") or f"sqlite:///{BASE_DIR / 'db.sqlite3'}"
    ),
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        # Take the write lock at BEGIN: a read that turns into a write would fail at once.
        "transaction_mode": "IMMEDIATE",
        "init_command": (
            f"PRAGMA journal_mode=WAL; PRAGMA synchronous={SQLITE_SYNCHRONOUS}; "
            "PRAGMA mmap_size=134217728; PRAGMA journal_size_limit=67108864; "
            # A task of its own does it, so that no answer waits: runs/upkeep/checkpoints.py.
            "PRAGMA wal_autocheckpoint=10000"
        ),
    }
else:
    DATABASES["default"]["OPTIONS"] = {
        # Who waits asks again (chat/runs/pool.py): the pool's own pauses would grow to minutes.
        "pool": {"min_size": 2, "max_size": 12, "timeout": 2, "reconnect_timeout": 1},
        # A PostgreSQL whose machine is gone is noticed within seconds, not hours.
        **{"connect_timeout": 5, "tcp_user_timeout": 10_000},
        **{"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3},
        # What the address asks for, such as sslmode.
        **DATABASES["default"].get("OPTIONS", {}),
    }
    # A connection of the pool that has died is replaced before somebody gets it.
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# What tools give back as files. Served by chat/views/attachments.py alone; nobody else reads it.
MEDIA_ROOT = Path(env.str("MEDIA_DIR", default="") or BASE_DIR / "media")
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700

REDIS_URL = env.str("REDIS_URL", default="").strip()
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL]},
    }
    if REDIS_URL
    else {"BACKEND": "channels.layers.InMemoryChannelLayer"},
}

# -- the model --------------------------------------------------------------------------
OPENROUTER_API_KEY = env.str("OPENROUTER_API_KEY", default="").strip()
LLM_BASE_URL = web_address("LLM_BASE_URL") or (
    "https://openrouter.ai/api/v1" if OPENROUTER_API_KEY else ""
)
LLM_API_KEY = env.str("LLM_API_KEY", default="").strip() or OPENROUTER_API_KEY
LLM_PROVIDER = "openai" if LLM_BASE_URL else "demo"
LLM_MODEL = env.str("LLM_MODEL", default="").strip() or (
    "openai/gpt-5-mini" if OPENROUTER_API_KEY else "demo"
)
LLM_MODELS = [name.strip() for name in env.list("LLM_MODELS", default=[]) if name.strip()]
if LLM_MODEL not in LLM_MODELS:
    LLM_MODELS.insert(0, LLM_MODEL)
LLM_CONNECT_TIMEOUT_SECONDS = positive("LLM_CONNECT_TIMEOUT_SECONDS", 10)
LLM_FIRST_TOKEN_TIMEOUT_SECONDS = positive("LLM_FIRST_TOKEN_TIMEOUT_SECONDS", 90)
LLM_IDLE_TIMEOUT_SECONDS = positive("LLM_IDLE_TIMEOUT_SECONDS", 60)
LLM_TOTAL_TIMEOUT_SECONDS = positive("LLM_TOTAL_TIMEOUT_SECONDS", 900)
LLM_CONTEXT_TOKENS = whole("LLM_CONTEXT_TOKENS", 0, zero=True)
TITLE_BY_MODEL = switch("TITLE_BY_MODEL", default=True)

# -- tools ------------------------------------------------------------------------------
MCP_SERVER_URL = web_address("MCP_SERVER_URL")
MCP_API_KEY = env.str("MCP_API_KEY", default="").strip()
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
INPUT_TIMEOUT_SECONDS = positive("INPUT_TIMEOUT_SECONDS", 600)
MCP_ACCEPT_CHANGED_READ_ONLY = switch("MCP_ACCEPT_CHANGED_READ_ONLY", default=False)
# What `${NAME}` in the configuration of a server may stand for. Never what is ours.
OWN_SECRETS = {
    *("SECRET_KEY", "DATABASE_URL", "REDIS_URL", "ADMIN_PASSWORD"),
    *("OPENROUTER_API_KEY", "LLM_API_KEY", "MCP_API_KEY", "MCP_TOKEN_KEY"),
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
DRAIN_SECONDS = positive("DRAIN_SECONDS", 20, zero=True)

# -- limits -----------------------------------------------------------------------------
MAX_ACTIVE_RUNS_PER_USER = whole("MAX_ACTIVE_RUNS_PER_USER", 8)
MAX_RUN_STARTS_PER_MINUTE = whole("MAX_RUN_STARTS_PER_MINUTE", 60, zero=True)
MAX_MESSAGE_CHARACTERS = whole("MAX_MESSAGE_CHARACTERS", 100_000)
# UTF-8 needs at most four bytes a character, a JSON or form escape at most twelve.
DATA_UPLOAD_MAX_MEMORY_SIZE = 12 * MAX_MESSAGE_CHARACTERS + 65_536

# -- Django -----------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "chat",
]
MIDDLEWARE = [
    "chatsite.middleware.SecurityMiddleware",
    "chatsite.middleware.CSPMiddleware",
    "chatsite.middleware.SessionMiddleware",
    "chatsite.middleware.CommonMiddleware",
    "chat.views.access.TokenMiddleware",
    "chatsite.middleware.CsrfViewMiddleware",
    "chatsite.middleware.AuthenticationMiddleware",
    "chatsite.middleware.MessageMiddleware",
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
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

# -- security ---------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = False
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "stream": sys.stderr, "formatter": "line"}
    },
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "chat": {"level": "INFO"},
        # Every 404 of a scanner is not worth a line.
        "django.request": {"level": "ERROR"},
    },
}
